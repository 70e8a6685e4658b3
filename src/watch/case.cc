#include "watch/case.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "watch/site.h"

namespace sekimori::watch {
namespace {

std::pair<std::uint32_t, Mac> key_of(const Station& s) { return {s.scope, s.mac}; }

}  // namespace

Case::Case(const Observations& observations, std::vector<View> v, const Site* declared)
    : o(observations), views(std::move(v)), site(declared) {
  for (const Binding& b : o.bindings) {
    for (std::size_t i = 0; i < b.count; ++i) claims_.emplace_back(b.claimants[i].mac, b.ip);
    if (b.count == 1) bindings_by_mac_[{b.scope, b.claimants[0].mac}].push_back(&b);
  }
  std::ranges::sort(claims_);
  by_mac_.resize(o.stations.size());
  std::iota(by_mac_.begin(), by_mac_.end(), 0u);
  std::ranges::sort(by_mac_, {}, [this](std::uint32_t i) { return key_of(o.stations[i]); });
}

const Station* Case::station(std::uint32_t scope, Mac mac) const {
  const std::pair key(scope, mac);
  const auto found =
      std::ranges::lower_bound(by_mac_, key, {}, [this](std::uint32_t i) { return key_of(o.stations[i]); });
  return found != by_mac_.end() && key_of(o.stations[*found]) == key ? &o.stations[*found] : nullptr;
}

const std::vector<const Binding*>& Case::bindings_of(std::uint32_t scope, Mac mac) const {
  static const std::vector<const Binding*> kNone;
  const auto found = bindings_by_mac_.find({scope, mac});
  return found == bindings_by_mac_.end() ? kNone : found->second;
}

std::span<const std::uint32_t> Case::stations_in(std::uint32_t scope) const {
  const auto range =
      std::ranges::equal_range(by_mac_, scope, {}, [this](std::uint32_t i) { return o.stations[i].scope; });
  return {range.begin(), range.end()};
}

// With several addresses none is the station's name.
std::string Case::name(std::uint32_t scope, Mac mac) const {
  if (site != nullptr) {
    if (const std::string declared = site->name(mac); !declared.empty())
      return fmt::format("{} ({})", declared, wire::to_text(mac));
  }
  const auto& bindings = bindings_of(scope, mac);
  if (bindings.size() != 1) return wire::to_text(mac);
  return fmt::format("{} ({})", wire::to_text(mac), to_text(bindings.front()->ip));
}

std::string Case::interface_name(std::uint32_t interface) const {
  const std::string& name = o.interfaces[interface].name;
  return name.empty() ? fmt::format("interface {}", interface) : name;
}

std::string Case::where(std::uint32_t index) const {
  const Scope& scope = o.scopes[index];
  std::vector<std::string> parts;
  if (o.interfaces.size() > 1) parts.push_back(interface_name(scope.interface));
  if (scope.inner != 0) {
    parts.push_back(fmt::format("VLAN {}.{}", scope.outer, scope.inner));
  } else if (scope.outer != 0) {
    parts.push_back(fmt::format("VLAN {}", scope.outer));
  }
  if (scope.tunnel != 0) parts.push_back(fmt::format("tunnel {}", scope.tunnel - 1));
  return fmt::format("{}", fmt::join(parts, ", "));
}

base::Time Case::time(FrameRef frame) const {
  const Nanos after = since(frame.at, o.first.at);
  constexpr Nanos kMost = INT64_MAX / 1000;
  return base::nanoseconds(std::min(after, kMost));
}

void Case::show(Finding& finding, FrameRef frame, std::string what) const {
  const bool shown =
      std::ranges::any_of(finding.evidence, [&](const auto& e) { return e.frame == frame.number; });
  if (!frame || shown) return;
  finding.evidence.push_back(
      {time(frame), fmt::format("frame {}", frame.number), std::move(what), frame.number});
}

std::string to_text(const IpAddress& ip) {
  if (!ip.is_v4) return wire::to_text(ip.octets);
  return wire::to_text(v4_of(ip));
}

std::string seconds_text(Nanos duration) {
  const auto value = static_cast<double>(duration);
  if (duration < 1'000) return fmt::format("{} ns", duration);
  if (duration < 1'000'000) return fmt::format("{:.0f} us", value / 1e3);
  if (duration < kSecond) return fmt::format("{:.0f} ms", value / 1e6);
  if (duration < 100 * kSecond) return fmt::format("{:.1f} s", value / 1e9);
  return fmt::format("{:.0f} s", value / 1e9);
}

std::string count_text(std::uint64_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string mbit_text(std::uint64_t bytes, Nanos duration) {
  if (duration <= 0) return count_text(bytes, "byte");
  const double mbit = static_cast<double>(bytes) * 8e3 / static_cast<double>(duration);
  return mbit < 0.1 ? fmt::format("{} kbit/s", base::short_number(mbit * 1000, 1))
                    : fmt::format("{} Mbit/s", base::short_number(mbit, mbit < 100 ? 1 : 0));
}

std::string percent_text(std::uint64_t part, std::uint64_t whole) {
  const double percent = whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
  return part > 0 && percent < 1 ? "less than 1 %" : fmt::format("{:.0f} %", percent);
}

// OUIs of VMware (3), Microsoft, Xen, VirtualBox, Parallels, Nutanix, oVirt and Proxmox, then QEMU's prefix.
bool is_hypervisors(Mac mac) {
  static constexpr std::uint32_t kVendors[] = {0x000569, 0x000c29, 0x005056, 0x00155d, 0x00163e, 0x080027,
                                               0x001c42, 0x506b8d, 0x001a4a, 0xbc2411, 0x525400};
  return std::ranges::find(kVendors, mac.bits >> 24) != std::end(kVendors);
}

bool is_virtual_nic(Mac mac) { return mac.is_local() || is_hypervisors(mac); }

Finding make(Code code, Certainty certainty, std::string where, std::string headline, std::string cause) {
  Finding f;
  f.code = code;
  f.severity = findings::entry(code).severity;
  f.certainty = certainty;
  f.where = std::move(where);
  f.headline = std::move(headline);
  f.cause = std::move(cause);
  return f;
}

}  // namespace sekimori::watch

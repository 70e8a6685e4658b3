#include "lab/build_ip.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "sys/nf_tables.h"
#include "wire/icmpv6.h"

namespace sekimori::lab {

using base::Result;

namespace {

wire::Ipv6Prefix link_local_of(const model::Station& station) {
  constexpr int kLinkLocalBits = 64;
  return {wire::link_local(station.mac), kLinkLocalBits};
}

}  // namespace

bool speaks_ipv6(const model::Model& site, model::MachineId machine) {
  return std::ranges::any_of(site[machine].stations,
                             [&](model::StationId s) { return !site[s].ip6.address.is_zero(); });
}

Result<void> prepare_ipv6(const sys::Namespace& space, bool forwards, Unasked unasked) {
  constexpr const char* kNoAddress = "1";  // IN6_ADDR_GEN_MODE_NONE
  const std::pair<const char*, const char*> settings[] = {{"conf/default/addr_gen_mode", kNoAddress},
                                                          {"conf/default/accept_ra", "0"},
                                                          {"conf/default/autoconf", "0"},
                                                          {"conf/default/router_solicitations", "0"},
                                                          {"conf/default/dad_transmits", "0"},
                                                          {"conf/default/accept_dad", "0"},
                                                          {"conf/all/keep_addr_on_down", "1"},
                                                          {"conf/default/keep_addr_on_down", "1"},
                                                          {"conf/lo/disable_ipv6", "0"},
                                                          {"conf/all/forwarding", forwards ? "1" : "0"}};
  for (const auto& [name, value] : settings) {
    if (auto written = sys::write_setting(fmt::format("net/ipv6/{}", name), value); !written) return written;
  }
  if (unasked == Unasked::kAll) return {};
  using Verdict = sys::FilterRule::Verdict;
  // Listener messages of both versions with router solicitations, and redirects, which the model's routers
  // don't send.
  using wire::Icmpv6;
  std::vector<sys::FilterRule> rules{
      {.icmpv6 = {{Icmpv6::kRouterSolicitation, Icmpv6::kRouterSolicitation}}, .verdict = Verdict::kDrop},
      {.icmpv6 = {{Icmpv6::kRedirect, Icmpv6::kRedirect}}, .verdict = Verdict::kDrop}};
  if (unasked == Unasked::kNothing) {
    rules.push_back({.icmpv6 = {{Icmpv6::kMldQuery, Icmpv6::kMldDone}}, .verdict = Verdict::kDrop});
    rules.push_back({.icmpv6 = {{Icmpv6::kMldReport2, Icmpv6::kMldReport2}}, .verdict = Verdict::kDrop});
  }
  return sys::add_filter(space, sys::FilterFamily::kIpv6, "sekimori",
                         {{.hook = sys::FilterChain::Hook::kOutput, .rules = std::move(rules)}});
}

Result<void> give_ipv6(const model::Model& site, const model::Station& station, const std::string& device,
                       const sys::Namespace& space, sys::Links& links) {
  if (station.ip6.address.is_zero()) return {};
  auto inside = sys::InNamespace::enter(space);
  if (!inside) return std::unexpected(inside.error());
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(site[station.machine].nd.timeout).count();
  const std::pair<std::string, std::string> settings[] = {
      {fmt::format("net/ipv6/conf/{}/disable_ipv6", device), "0"},
      {fmt::format("net/ipv6/neigh/{}/base_reachable_time_ms", device),
       std::to_string(std::clamp<std::int64_t>(milliseconds, 1, 1'000'000'000))}};
  for (const auto& [name, value] : settings) {
    if (auto written = sys::write_setting(name, value); !written) return written;
  }
  auto added = links.add_address(device, link_local_of(station));
  return added ? links.add_address(device, station.ip6) : added;
}

void restore_link_local(const model::Station& station, const std::string& device, sys::Links& links) {
  if (station.ip6.address.is_zero()) return;
  // An error if it is still there.
  [[maybe_unused]] const auto added = links.add_address(device, link_local_of(station));
}

Result<void> translate(const model::Model& site, const Plan& plan, model::MachineId machine,
                       const sys::Namespace& space) {
  using Verdict = sys::FilterRule::Verdict;
  sys::FilterChain lets_in{.hook = sys::FilterChain::Hook::kForward, .rules = {}};
  sys::FilterChain masks{.hook = sys::FilterChain::Hook::kPostrouting, .translates = true, .rules = {}};
  for (const model::BridgeId bridge : site[machine].bridges) {
    if (site[bridge].routing != model::Routing::kNat) continue;
    for (const model::StationId s : site[machine].stations) {
      if (site[model::peer(site, site[s].port)].bridge != bridge) continue;
      const std::string& inside = plan.stations[s.index()].name;
      lets_in.rules.push_back({.in = inside, .out = inside});
      lets_in.rules.push_back({.out = inside, .of_known_connection = true});
      lets_in.rules.push_back({.out = inside, .verdict = Verdict::kDrop});
      masks.rules.push_back({.in = inside, .not_out = inside, .verdict = Verdict::kMasquerade});
    }
  }
  if (masks.rules.empty()) return {};
  return sys::add_filter(space, sys::FilterFamily::kIpv4, "sekimori", {lets_in, masks});
}

}  // namespace sekimori::lab

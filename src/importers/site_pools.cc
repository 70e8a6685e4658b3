// Pools of MAC addresses, and the ranges that managers use when nobody tells them otherwise.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"
#include "wire/mac.h"

namespace sekimori::importers {

using model::Mac;
using model::PoolKind;

namespace {

constexpr Bounds<std::int64_t> kInstanceBounds{"the instance ID of a vCenter, `id`,", 0, 63};

// 00:15:5d, the last two octets of the host's address, and one octet to choose: 256 for each host.
// https://learn.microsoft.com/en-us/troubleshoot/windows-server/virtualization/default-limit-256-dynamic-mac-addresses
MacRange hyperv_range(model::Ipv4 host) {
  const std::uint64_t first = 0x0015'5d00'0000 | std::uint64_t{host.bits & 0xffff} << 8;
  return {Mac{first}, Mac{first | 0xff}};
}

// 00:50:56:(80 + instance ID), and two octets to choose.
// https://docs.vmware.com (vSphere 7.0, "Generating MAC addresses", vCenter Server Instance ID)
MacRange vcenter_range(std::int64_t id) {
  const std::uint64_t first = 0x0050'5680'0000 + (static_cast<std::uint64_t>(id) << 16);
  return {Mac{first}, Mac{first | 0xffff}};
}

// "The same range was deployed in all oVirt installations": 150 addresses.
// https://docs.redhat.com (RHV 4.2, MAC address pools collection)
constexpr MacRange kOVirt{Mac{0x001a'4a16'0151}, Mac{0x001a'4a16'01e6}};
// config of github.com/k8snetworkplumbingwg/kubemacpool, RANGE_START and RANGE_END
constexpr MacRange kKubeMacPool{Mac{0x0200'0000'0000}, Mac{0x02ff'ffff'ffff}};

}  // namespace

// `name: RANGE` is short for `name: {range: RANGE}`.
void SiteReader::read_pool(const Entry& entry) {
  if (!in_.is_name(entry.name, "pool")) return;
  const bool is_short = in_.tree().is_text(entry.value);
  const Fields fields = is_short ? in_.fields({}, sections::kPool)
                                 : in_.fields(entry.value, sections::kPool, "{kind: ..., range: ...}");
  if (!is_short && !fields.node().valid()) return;
  constexpr PoolKind kKinds[] = {PoolKind::kRange, PoolKind::kHyperV, PoolKind::kVCenter, PoolKind::kOVirt,
                                 PoolKind::kKubeMacPool};
  model::MacPool pool;
  const auto kind =
      in_.choice(fields["kind"], "kind", {"range", "hyperv", "vcenter", "ovirt", "kubemacpool"});
  if (fields.has("kind") && !kind) return;
  pool.kind = kKinds[kind.value_or(0)];
  const auto range = is_short ? in_.mac_range(entry.value) : pool_range(entry, fields, pool.kind);
  read_pool_hosts(pool, fields["hosts"]);
  if (!range) return;
  pool.name = in_.text(entry.name);
  pool.first = range->first;
  pool.last = range->last;
  pool.line = in_.line(entry.name);
  model().pools.push_back(std::move(pool));
}

std::optional<MacRange> SiteReader::pool_range(const Entry& entry, const Fields& fields, PoolKind kind) {
  struct Own {
    std::string_view key;
    PoolKind kind;
  };
  for (const Own& own : {Own{"id", PoolKind::kVCenter}, Own{"host-ip", PoolKind::kHyperV}}) {
    if (fields.has(own.key) && kind != own.kind) {
      in_.wrong(fields[own.key], fmt::format("'{}' goes with `kind: {}` only", own.key, to_text(own.kind)));
      return std::nullopt;
    }
    if (fields.has(own.key) && fields.has("range")) {
      in_.wrong(fields[own.key],
                fmt::format("'{}' and 'range' both say which addresses; write one", own.key));
      return std::nullopt;
    }
  }
  if (fields.has("range")) return in_.mac_range(fields["range"]);
  std::string_view missing = "range";
  switch (kind) {
    case PoolKind::kOVirt:
      return kOVirt;
    case PoolKind::kKubeMacPool:
      return kKubeMacPool;
    case PoolKind::kVCenter:
      missing = "id";
      if (const auto id = in_.integer(fields["id"], kInstanceBounds)) return vcenter_range(*id);
      break;
    case PoolKind::kHyperV:
      missing = "host-ip";
      if (const auto host = in_.address(fields["host-ip"], "host-ip")) return hyperv_range(*host);
      break;
    case PoolKind::kRange:
      break;
  }
  if (!fields.has(missing)) {
    in_.wrong(entry.name, fmt::format("the pool '{}' needs {}`{}`", in_.text(entry.name),
                                      missing == "range" ? "a " : "a `range` or ", missing));
  }
  return std::nullopt;
}

void SiteReader::read_pool_hosts(model::MacPool& pool, NodeId hosts) {
  for (const NodeId node : in_.list(hosts, "hosts", true)) {
    const auto name = in_.word(node, "the name of a host");
    if (!name) continue;
    const model::MachineId host = machine(node, *name, "a host");
    if (!host.valid()) continue;
    if (model()[host].kind != model::MachineKind::kHost) {
      in_.wrong(node, fmt::format("'{}' is a {}; a pool serves the guests of hosts", *name,
                                  to_text(model()[host].kind)));
      continue;
    }
    pool.hosts.push_back(host);
  }
  std::ranges::sort(pool.hosts);
  const auto [first, last] = std::ranges::unique(pool.hosts);
  pool.hosts.erase(first, last);
}

}  // namespace sekimori::importers

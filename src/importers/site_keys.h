// Every key that a site file may contain, section by section. The readers accept exactly these, and a test
// holds docs/site-file.schema.json against this table: a section here is a definition of the same name there.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace sekimori::importers {

struct Section {
  std::string_view name;  // in messages and in the schema's $defs
  std::span<const std::string_view> keys;
};

namespace keys {

using Keys = std::string_view[];

inline constexpr Keys kSite = {"sekimori", "title",   "seed",     "notes",   "defaults",
                               "hosts",    "routers", "switches", "wans",    "tunnels",
                               "links",    "shared",  "pools",    "traffic", "changes"};
inline constexpr Keys kNote = {"assumed", "suspect"};
inline constexpr Keys kDefaults = {"link", "ageing", "arp"};
inline constexpr Keys kDefaultLink = {"rate", "delay", "queue"};
inline constexpr Keys kHost = {"nics",   "bonds", "switches", "guests", "gateway",
                               "routes", "arp",   "nd",       "state",  "count"};
inline constexpr Keys kRouter = {"nics", "bonds", "gateway", "routes", "arp", "nd", "state"};
inline constexpr Keys kGuest = {"nics", "bonds", "switches", "gateway", "routes",
                                "arp",  "nd",    "state",    "count",   "image"};
inline constexpr Keys kBond = {"mode", "nics", "ip", "mac", "primary", "hash-policy"};
inline constexpr Keys kImage = {"disk", "kernel", "initrd", "append", "memory"};
inline constexpr Keys kNic = {"mac", "ip", "promiscuous", "groups", "querier"};
inline constexpr Keys kGuestNic = {"on",
                                   "mac",
                                   "ip",
                                   "promiscuous",
                                   "groups",
                                   "access",
                                   "trunk",
                                   "native",
                                   "flood",
                                   "learning",
                                   "isolated",
                                   "hairpin",
                                   "guard",
                                   "bpdu-guard",
                                   "bpdu-filter",
                                   "edge",
                                   "path-cost",
                                   "mac-limit",
                                   "storm-control",
                                   "broadcast-flood",
                                   "locked",
                                   "multicast-flood",
                                   "neigh-suppress",
                                   "group-fwd-mask",
                                   "promiscuous-mode",
                                   "forged-transmits",
                                   "mac-spoofing"};
inline constexpr Keys kDrawnMac = {"drawn-from"};
inline constexpr Keys kRoute = {"to", "via"};
inline constexpr Keys kArp = {"timeout", "confirm", "announce"};
inline constexpr Keys kNd = {"reachable", "announce", "advertise"};
inline constexpr Keys kSwitch = {"kind",
                                 "ageing",
                                 "learning",
                                 "table-size",
                                 "vlan-aware",
                                 "stp",
                                 "priority",
                                 "hello",
                                 "max-age",
                                 "forward-delay",
                                 "flood",
                                 "ports",
                                 "static",
                                 "flows",
                                 "group-fwd-mask",
                                 "neighbours",
                                 "multicast-snooping",
                                 "multicast-querier",
                                 "unregistered-multicast"};
inline constexpr Keys kVirtualSwitch = {"kind",
                                        "uplinks",
                                        "ip",
                                        "mac",
                                        "filters-local",
                                        "mode",
                                        "teaming",
                                        "notify-switches",
                                        "beacon-probing",
                                        "ageing",
                                        "learning",
                                        "table-size",
                                        "vlan-aware",
                                        "stp",
                                        "priority",
                                        "hello",
                                        "max-age",
                                        "forward-delay",
                                        "flood",
                                        "ports",
                                        "static",
                                        "flows",
                                        "group-fwd-mask",
                                        "neighbours",
                                        "multicast-snooping",
                                        "multicast-querier",
                                        "unregistered-multicast"};
inline constexpr Keys kPort = {
    "access",    "trunk",         "native",         "flood",          "broadcast-flood",
    "learning",  "locked",        "isolated",       "hairpin",        "lag",
    "guard",     "bpdu-guard",    "bpdu-filter",    "edge",           "path-cost",
    "mac-limit", "storm-control", "neigh-suppress", "group-fwd-mask", "multicast-flood"};
inline constexpr Keys kStormControl = {"broadcast", "multicast", "unknown-unicast"};
inline constexpr Keys kStaticEntry = {"mac", "station", "port", "vlan"};
inline constexpr Keys kNeighbour = {"station", "mac"};
inline constexpr Keys kFlowRule = {"in-port", "mac", "station", "type", "output"};
inline constexpr Keys kWan = {"kind", "sites", "delay", "ageing", "table-size"};
inline constexpr Keys kWanSite = {"rate", "delay", "mac-limit", "storm-control"};
inline constexpr Keys kTunnel = {"kind", "vni", "members", "ageing", "learning", "static"};
inline constexpr Keys kTunnelMember = {"on", "via"};
inline constexpr Keys kTunnelStatic = {"mac", "station", "member"};
inline constexpr Keys kLink = {"between", "rate", "delay", "queue", "state"};
inline constexpr Keys kShared = {"kind",  "ip",      "mac",      "members", "vrid",
                                 "group", "version", "interval", "preempt"};
inline constexpr Keys kMember = {"nic", "priority"};
inline constexpr Keys kPool = {"kind", "range", "host-ip", "id", "hosts"};
inline constexpr Keys kFlow = {"from", "to",       "kind",  "rate", "every",
                               "size", "response", "start", "stop", "family"};
// What happens, and what goes with each.
inline constexpr Keys kChange = {
    "at", "start", "stop", "clone",    "migrate", "link-down", "link-up",    "set",           "as",
    "to", "on",    "ip",   "announce", "ageing",  "learning",  "table-size", "filters-local", "stp"};

}  // namespace keys

namespace sections {

inline constexpr Section kSite{"site", keys::kSite};
inline constexpr Section kNote{"note", keys::kNote};
inline constexpr Section kDefaults{"defaults", keys::kDefaults};
inline constexpr Section kDefaultLink{"default-link", keys::kDefaultLink};
inline constexpr Section kHost{"host", keys::kHost};
inline constexpr Section kRouter{"router", keys::kRouter};
inline constexpr Section kGuest{"guest", keys::kGuest};
inline constexpr Section kBond{"bond", keys::kBond};
inline constexpr Section kImage{"image", keys::kImage};
inline constexpr Section kNic{"nic", keys::kNic};
inline constexpr Section kGuestNic{"guest-nic", keys::kGuestNic};
inline constexpr Section kDrawnMac{"drawn-mac", keys::kDrawnMac};
inline constexpr Section kRoute{"route", keys::kRoute};
inline constexpr Section kArp{"arp", keys::kArp};
inline constexpr Section kNd{"nd", keys::kNd};
inline constexpr Section kSwitch{"switch", keys::kSwitch};
inline constexpr Section kVirtualSwitch{"virtual-switch", keys::kVirtualSwitch};
inline constexpr Section kPort{"port", keys::kPort};
inline constexpr Section kStormControl{"storm-control", keys::kStormControl};
inline constexpr Section kStaticEntry{"static-entry", keys::kStaticEntry};
inline constexpr Section kNeighbour{"neighbour", keys::kNeighbour};
inline constexpr Section kFlowRule{"flow-rule", keys::kFlowRule};
inline constexpr Section kWan{"wan", keys::kWan};
inline constexpr Section kWanSite{"wan-site", keys::kWanSite};
inline constexpr Section kTunnel{"tunnel", keys::kTunnel};
inline constexpr Section kTunnelMember{"tunnel-member", keys::kTunnelMember};
inline constexpr Section kTunnelStatic{"tunnel-static", keys::kTunnelStatic};
inline constexpr Section kLink{"link", keys::kLink};
inline constexpr Section kShared{"shared", keys::kShared};
inline constexpr Section kMember{"member", keys::kMember};
inline constexpr Section kPool{"pool", keys::kPool};
inline constexpr Section kFlow{"flow", keys::kFlow};
inline constexpr Section kChange{"change", keys::kChange};

inline constexpr std::array kAll = {
    kSite,         kNote,         kDefaults,    kDefaultLink, kHost,   kRouter,  kGuest,
    kNic,          kGuestNic,     kDrawnMac,    kRoute,       kArp,    kSwitch,  kVirtualSwitch,
    kPort,         kStormControl, kStaticEntry, kFlowRule,    kWan,    kWanSite, kLink,
    kShared,       kMember,       kPool,        kFlow,        kChange, kNd,      kTunnel,
    kTunnelMember, kTunnelStatic, kBond,        kNeighbour,   kImage};

}  // namespace sections

}  // namespace sekimori::importers

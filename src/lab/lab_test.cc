// The pure parts: plans, scales, names.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "importers/site.h"
#include "lab/guests.h"
#include "lab/live_switch.h"
#include "lab/plan.h"
#include "lab/scale.h"

namespace sekimori::lab {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

model::Model parse(std::string_view text) {
  auto site = importers::parse_site("sekimori: 1\n" + std::string(text), "site.yaml");
  EXPECT_TRUE(site.has_value()) << (site ? "" : site.error().text());
  return site ? std::move(*site) : model::Model{};
}

// "space: device device ..." of each space.
std::vector<std::string> spaces_of(const model::Model& site, const Plan& plan) {
  std::vector<std::vector<std::string>> devices(plan.spaces.size());
  for (const PlannedBridge& bridge : plan.bridges) {
    if (!bridge.device.empty()) devices[bridge.space].push_back(bridge.device);
  }
  for (const PlannedLink& link : plan.links) {
    if (link.kind != LinkKind::kVeth) continue;
    for (const model::PortId port : {site[link.link].a, site[link.link].b})
      devices[plan.ports[port.index()].space].push_back(plan.ports[port.index()].name);
  }
  std::vector<std::string> lines;
  for (std::size_t s = 0; s < devices.size(); ++s) {
    std::ranges::sort(devices[s]);
    std::string line = plan.spaces[s].name + ":";
    for (const std::string& device : devices[s]) line += " " + device;
    lines.push_back(line);
  }
  return lines;
}

TEST(Plan, ALinuxBridgeIsInItsMachineAndItsInterfaceIsTheMachinesOwnStation) {
  const model::Model site = parse(R"(
hosts:
  node:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0], ip: 10.0.0.1/24}}
    guests: {app: {nics: {net0: {on: br0, ip: 10.0.0.9/24}}}}
switches: {sw1: {}}
links: [[node:eth0, sw1:1]]
)");
  const Plan plan = make_plan(site, "t");
  EXPECT_THAT(spaces_of(site, plan),
              UnorderedElementsAre("node: app.net0 br0 eth0", "app: net0", "sw1: 1 sw1"));
  EXPECT_THAT(plan.unsupported, IsEmpty());
  // The interface's address is that of the station, so that frames for it are handed up.
  for (const model::Station& station : site.stations) {
    if (station.name == "br0") {
      EXPECT_EQ(plan.bridges[0].mac, station.mac);
    }
  }
  EXPECT_EQ(plan.namespace_of(0), "sekimori.t.node");
}

TEST(Plan, AHostedBridgeIsLiveInANamespaceOfItsOwn) {
  const model::Model site = parse(R"(
hosts:
  server:
    nics: {eth0: 10.0.0.1/24}
    switches: {vmnet0: {kind: hosted-bridge, uplinks: [eth0]}}
    guests: {app: {nics: {net0: {on: vmnet0, ip: 10.0.0.9/24}}}}
switches: {sw1: {}}
links: [[server:eth0, sw1:1]]
)");
  const Plan plan = make_plan(site, "t");
  EXPECT_THAT(spaces_of(site, plan),
              UnorderedElementsAre("server: eth0", "app: net0", "server.vmnet0: app.net0 eth0 to-eth0",
                                   "sw1: 1 sw1"));
  EXPECT_TRUE(plan.has_live());
  EXPECT_THAT(plan.bridges[0].live_because, HasSubstr("hosted-bridge"));
}

TEST(Plan, WhatLinuxBridgesCantDoIsLive) {
  const auto because = [](const std::string& ports) {
    const model::Model site = parse(
        "hosts: {a: {nics: {e: 10.0.0.1/24}}, b: {nics: {e: 10.0.0.2/24}}}\nswitches: {sw: {ports: " + ports +
        "}}\nlinks: [[a:e, sw:1], [b:e, sw:2]]\n");
    return make_plan(site, "t").bridges[0].live_because;
  };
  EXPECT_EQ(because("{1: {flood: off}, 2: {isolated: on, learning: off}}"), "");
  EXPECT_EQ(because("{1: {access: 7}, 2: {access: 7}}"), "");  // one VLAN is none
  EXPECT_THAT(because("{1: {access: 7}}"), HasSubstr("VLAN"));
  EXPECT_THAT(because("{1: {trunk: [7]}}"), HasSubstr("tagged"));
  EXPECT_THAT(because("{1: {mac-limit: 2}}"), HasSubstr("MAC limit"));
  EXPECT_THAT(because("{1: {storm-control: {broadcast: 1Mbit/s}}}"), HasSubstr("storm control"));
  EXPECT_EQ(because("{9: {mac-limit: 2}}"), "");  // nothing is plugged in there
}

// A switch drops the tagged frames of VLANs that it does not have; a bridge without VLANs passes them on.
TEST(Plan, WhatIsSentTagsFiltersThem) {
  const auto because = [](const std::string& nic, const std::string& guest, const std::string& sw = "{}") {
    const model::Model site = parse(R"(
hosts:
  a: {nics: {)" + nic + R"(: 10.0.0.1/24}}
  b:
    nics: {e: {}}
    switches: {vs: {kind: esxi, uplinks: [e]}}
    guests: {g: {nics: {n: {on: vs, ip: 10.0.0.2/24}}}, h: {nics: {n: {on: vs, ip: 10.0.10.2/24)" +
                                    guest + R"(}}}}
switches: {sw: )" + sw + R"(}
links: [[a:e, sw:1], [b:e, sw:2]]
)");
    for (const PlannedBridge& bridge : make_plan(site, "t").bridges) {
      if (site[bridge.bridge].name == "sw") return bridge.live_because;
    }
    return std::string("no switch");
  };
  EXPECT_EQ(because("e", ""), "");
  EXPECT_THAT(because("e.10", ""), HasSubstr("sw:1 is sent tagged frames"));
  EXPECT_THAT(because("e", ", access: 10"), HasSubstr("sw:2 is sent tagged frames"));
  EXPECT_THAT(because("e", ", trunk: [10], native: 1"), HasSubstr("sw:2 is sent tagged frames"));
  EXPECT_EQ(because("e.10", ", access: 10", "{vlan-aware: off}"), "");
}

TEST(Plan, AllLinksOfAnAggregationGroupAreBuiltBetweenLiveSwitches) {
  const model::Model site = parse(R"(
switches: {s1: {ports: {1: {lag: 1}, 2: {lag: 1}}}, s2: {ports: {1: {lag: 4}, 2: {lag: 4}}}}
links: [[s1:1, s2:2], [s1:2, s2:1]]
)");
  const Plan plan = make_plan(site, "t");
  EXPECT_EQ(plan.links.size(), 2u);
  EXPECT_THAT(plan.unsupported, IsEmpty());
  for (const PlannedBridge& bridge : plan.bridges)
    EXPECT_THAT(bridge.live_because, HasSubstr("aggregation group"));
}

TEST(Plan, AnEndpointOfATunnelIsAPortOfItsSwitchWhereTheKernelHasIt) {
  const model::Model site = parse(R"(
hosts:
  h1: {nics: {e: 192.0.2.1/24}, switches: {br0: {kind: linux-bridge}}}
  h2: {nics: {e: 192.0.2.2/24}, switches: {br0: {kind: ovs}}}
switches: {sw: {}}
links: [[h1:e, sw:1], [h2:e, sw:2]]
tunnels: {vx: {vni: 10, members: [h1/br0, h2/br0], ageing: 1500ms}}
)");
  const Plan plan = make_plan(site, "t");
  std::vector<std::string> ends;
  for (const PlannedBridge& bridge : plan.bridges) {
    if (bridge.engine == Engine::kVxlan)
      ends.push_back(plan.spaces[bridge.space].name + ": " + bridge.device);
  }
  EXPECT_THAT(ends, UnorderedElementsAre("h1: vx", "h2.br0: vx"));
  EXPECT_THAT(plan.unsupported, IsEmpty());
  EXPECT_EQ(plan.approximations.size(), 2u);  // half a second
  const Plan without = make_plan(site, "t", {.vxlan = false});
  EXPECT_EQ(without.unsupported.size(), 2u);
  EXPECT_EQ(without.links.size(), plan.links.size() - 2);
}

TEST(Plan, ASharedAddressIsASecondOneOrHasADeviceOfItsOwn) {
  const model::Model site = parse(R"(
hosts:
  w1: {nics: {e: 10.0.0.11/24}}
  w2: {nics: {e: 10.0.0.12/24}}
routers:
  r1: {nics: {a: 10.0.0.2/24}}
  r2: {nics: {a: 10.0.0.3/24}}
switches: {sw: {}}
links: [[w1:e, sw:1], [w2:e, sw:2], [r1:a, sw:3], [r2:a, sw:4]]
shared:
  web: {kind: nlb, ip: 10.0.0.100, members: [w1:e, w2:e]}
  gw: {kind: vrrp, vrid: 1, ip: 10.0.0.1, members: [r1:a, r2:a]}
)");
  const Plan plan = make_plan(site, "t");
  EXPECT_THAT(plan.unsupported, IsEmpty());
  EXPECT_EQ(plan.junctions.size(), 4u);
  for (const model::SharedAddress& shared : site.shared) {
    for (const auto& member : shared.members) {
      const Device &nic = plan.stations[member.nic.index()], &alias = plan.stations[member.alias.index()];
      EXPECT_EQ(nic.space, alias.space);
      EXPECT_EQ(alias.name, shared.name == "gw" ? "gw" : "e");
      EXPECT_EQ(alias.mac, shared.mac);
    }
  }
}

TEST(Plan, SlowLinksAreShapedAndLongOnesDelayed) {
  const model::Model site = parse(R"(
hosts: {a: {nics: {e: 10.0.0.1/24, f: 10.1.0.1/24}}, b: {nics: {e: 10.0.0.2/24, f: 10.1.0.2/24}}}
links:
  - [a:e, b:e, 10Mbit/s]
  - {between: [a:f, b:f], rate: 1Gbit/s, delay: 8ms}
)");
  const Plan plan = make_plan(site, "t");
  ASSERT_EQ(plan.links.size(), 2);
  EXPECT_TRUE(plan.links[0].shaped);
  EXPECT_FALSE(plan.links[0].delayed);
  EXPECT_FALSE(plan.links[1].shaped);
  EXPECT_TRUE(plan.links[1].delayed);
  EXPECT_EQ(plan.spaces.back().name, "cables");
}

TEST(Plan, NamesAreFitForTheKernelAndTellThingsApart) {
  const model::Model site = parse(R"(
hosts:
  "日本": {nics: {e: 10.0.0.1/24}}
  a-name-that-is-much-longer-than-devices-may-have:
    switches: {lo: {kind: linux-bridge}}
    guests:
      the-first-of-two-guests: {nics: {net0: {on: lo, ip: 10.0.1.1/24}}}
      the-first-of-two-more: {nics: {net0: {on: lo, ip: 10.0.1.2/24}}}
switches: {sw1: {}}
links: [["日本:e", "sw1:a/very/long/port/name"]]
)");
  const Plan plan = make_plan(site, "t");
  std::vector<std::pair<SpaceIndex, std::string>> devices;
  for (const Device& device : plan.ports) {
    if (!device.built()) continue;
    EXPECT_LE(device.name.size(), 15u);
    EXPECT_EQ(device.name.find_first_of("/: "), std::string::npos) << device.name;
    EXPECT_NE(device.name, "lo");
    devices.emplace_back(device.space, device.name);
  }
  std::ranges::sort(devices);
  EXPECT_EQ(std::ranges::adjacent_find(devices), devices.end());
}

TEST(Plan, EqualSitesGiveEqualPlans) {
  const auto site = importers::load_site("examples/hosted-server/site.yaml");
  ASSERT_TRUE(site.has_value());
  const Plan one = make_plan(*site, "t"), other = make_plan(*site, "t");
  EXPECT_EQ(spaces_of(*site, one), spaces_of(*site, other));
  for (std::size_t p = 0; p < one.ports.size(); ++p) EXPECT_EQ(one.ports[p].mac, other.ports[p].mac);
}

TEST(Plan, LabNames) {
  EXPECT_EQ(default_lab_name("examples/hosted-server/site.yaml"), "hosted-server");
  EXPECT_EQ(default_lab_name("/tmp/office.v2.yaml"), "office-v2");
  EXPECT_EQ(default_lab_name("site.yaml"), "site");
  EXPECT_EQ(default_lab_name("-"), "lab");
  EXPECT_TRUE(check_lab_name("office_2").has_value());
  for (const char* bad : {"", "a.b", "a/b", "../x", "-x", "a b", "123456789012345678901234567890123"})
    EXPECT_FALSE(check_lab_name(bad).has_value()) << bad;
}

TEST(Scale, IsAFraction) {
  EXPECT_EQ(parse_scale("1/60").value(), (Scale{1, 60}));
  EXPECT_EQ(parse_scale("1").value(), (Scale{1, 1}));
  EXPECT_EQ(parse_scale("0.25").value(), (Scale{25, 100}));
  for (const char* bad :
       {"", "0", "2", "-1/60", "1/0", "1/-5", "60/1", "x", "1/60s", "0.0", "1/99999999999999999999", "0.-5"})
    EXPECT_FALSE(parse_scale(bad).has_value()) << bad;
}

TEST(Scale, MultipliesTimesAndLeavesRatesAndDelays) {
  model::Model site = parse(R"(
hosts: {a: {nics: {e: 10.0.0.1/24}, arp: {timeout: 20min}}, b: {nics: {e: 10.0.0.2/24}}}
switches: {sw: {ageing: 300s}}
links: [[a:e, sw:1, 10Mbit/s], [b:e, sw:2]]
traffic:
  - {from: a, to: b, kind: udp, rate: 1Mbit/s, start: 60s}
  - {from: a, to: b, kind: ping, every: 6s}
)");
  const base::Duration delay = site.links[0].delay;
  site = scaled(std::move(site), {1, 60});
  EXPECT_EQ(site.bridges[0].ageing, base::seconds(5));
  EXPECT_EQ(site.machines[0].arp.timeout, base::seconds(20));
  EXPECT_EQ(site.flows[0].start, base::seconds(1));
  EXPECT_EQ(site.flows[0].stop, base::kNever);
  EXPECT_EQ(site.flows[0].rate, base::mbit(1));
  EXPECT_EQ(site.flows[1].interval, base::milliseconds(100));
  EXPECT_EQ(site.links[0].delay, delay);
}

// ---------------------------------------------------------------- guests that boot

constexpr std::string_view kWithImage = R"(
hosts:
  node:
    nics: {eth0: {}, eth1: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0], ip: 10.0.0.1/24}, mv: {kind: macvlan, uplinks: [eth1]}}
    guests:
      app:
        nics: {net0: {on: br0, mac: "02:00:00:00:00:09", ip: 10.0.0.9/24}, net1: {on: mv, ip: 10.1.0.9/24}}
        gateway: 10.0.0.254
        image: {kernel: k, initrd: i, append: quiet, memory: 64MiB}
      other: {nics: {net0: {on: br0, ip: 10.0.0.8/24}}}
routers: {gw: {nics: {a: 10.0.0.254/24, b: 10.1.0.254/24}}}
links: [[node:eth0, gw:a], [node:eth1, gw:b]]
traffic:
  - {from: node, to: app, kind: ping}
  - {from: node, to: app, kind: udp, rate: 1Mbit/s}
  - {from: node, to: app, kind: tcp, rate: 1Mbit/s}
  - {from: app, to: node, kind: ping}
changes:
  - {at: 1s, clone: app, as: twin}
)";
constexpr Facilities kAll{.open_vswitch = true, .macvlan = true, .qemu = true};

std::vector<std::string> texts(const std::vector<Remark>& remarks) {
  std::vector<std::string> texts;
  for (const Remark& remark : remarks) texts.push_back(remark.part + ": " + remark.what);
  return texts;
}

TEST(RealGuest, ItsNicIsATapAtTheSwitchAndAllAroundItIsAsEver) {
  const model::Model site = parse(kWithImage);
  const Plan plan = make_plan(site, "t", kAll);
  ASSERT_EQ(plan.guests.size(), 2);  // and the clone
  const PlannedGuest& app = plan.guests.front();
  ASSERT_EQ(app.nics.size(), 2);
  for (const model::StationId nic : site[app.machine].stations)
    EXPECT_FALSE(plan.stations[nic.index()].built());
  const Device& tap = plan.ports[app.nics.front().index()];
  EXPECT_EQ(tap.name, "app.net0");
  EXPECT_EQ(plan.spaces[tap.space].name, "node");
  EXPECT_EQ(tap, plan.ports[model::peer(site, app.nics.front()).index()]);
  // No macvlan device can be a guest's that is in QEMU.
  const auto macvlan = std::ranges::find(site.bridges, model::BridgeKind::kMacvlan, &model::Bridge::kind);
  EXPECT_TRUE(plan.bridges[static_cast<std::size_t>(macvlan - site.bridges.begin())].live());
  EXPECT_THAT(texts(plan.unsupported),
              UnorderedElementsAre(HasSubstr("tcp node -> app: The lab starts no servers"),
                                   HasSubstr("ping app -> node: The lab starts no senders")));
  EXPECT_THAT(texts(plan.approximations), testing::Contains(HasSubstr("udp node -> app: Nobody takes it")));
}

TEST(RealGuest, QemuIsToldMacsAddressesAndBounds) {
  const model::Model site = parse(kWithImage);
  const Plan plan = make_plan(site, "t", kAll);
  const std::string words =
      fmt::format("{}", fmt::join(qemu_words(site, plan.guests[0], true, "/home", "/run/x", {7, 8}), " "));
  EXPECT_THAT(
      words,
      HasSubstr("-netdev tap,id=n0,fd=7 -device virtio-net-pci,romfile=,netdev=n0,mac=02:00:00:00:00:09"));
  EXPECT_THAT(words, HasSubstr("-netdev tap,id=n1,fd=8"));
  EXPECT_THAT(words, HasSubstr(" ip=10.0.0.9::10.0.0.254:255.255.255.0:app:eth0:off "
                               "ip=10.1.0.9:::255.255.255.0:app:eth1:off quiet"));
  EXPECT_THAT(words, HasSubstr("-accel kvm -m 65536k"));
  EXPECT_THAT(words, HasSubstr("-kernel /home/k -initrd /home/i "));
  // The clone has the same MAC; its own files.
  const std::string twin =
      fmt::format("{}", fmt::join(qemu_words(site, plan.guests[1], false, "/home", "/run/x", {7, 8}), " "));
  EXPECT_THAT(twin, HasSubstr("mac=02:00:00:00:00:09"));
  EXPECT_THAT(twin, HasSubstr("-accel tcg,tb-size=64 "));
  EXPECT_THAT(twin, HasSubstr("unix:/run/x/twin.console,"));
}

TEST(RealGuest, ADiskIsReadOnlyAndCommasInItsNameAreNoOptions) {
  const model::Model site = parse(R"(
hosts:
  node:
    switches: {br0: {kind: linux-bridge}}
    guests: {app: {nics: {net0: {on: br0}}, image: "/no/su,ch.qcow2"}}
)");
  const Plan plan = make_plan(site, "t", kAll);
  EXPECT_THAT(qemu_words(site, plan.guests[0], true, "/home", "/run/x", {7}),
              testing::Contains("file=/no/su,,ch.qcow2,format=raw,if=virtio,snapshot=on"));
}

TEST(RealGuest, WithoutQemuOrItsFilesANamespaceStandsForItAndThatIsTold) {
  const model::Model site = parse(kWithImage);
  Facilities without = kAll;
  without.qemu = false;
  const Plan plan = make_plan(site, "t", without);
  EXPECT_THAT(plan.guests, IsEmpty());
  EXPECT_TRUE(plan.stations[site[model::MachineId(1u)].stations.front().index()].built());
  EXPECT_THAT(
      texts(plan.unsupported),
      testing::Contains("app: QEMU (qemu-system-x86_64) is not installed: a namespace stands for it."));
  Facilities lost = kAll;
  lost.lost_files = {"i"};
  const Plan other = make_plan(site, "t", lost);
  EXPECT_THAT(other.guests, IsEmpty());
  EXPECT_THAT(texts(other.unsupported),
              testing::Contains(HasSubstr("app: There is no file i, of its image")));
}

TEST(RealGuest, OneThatMovesOrHasSwitchesIsNoneAndThatIsTold) {
  const model::Model site = parse(R"(
hosts:
  a:
    switches: {br0: {kind: linux-bridge}}
    guests:
      goes: {nics: {net0: {on: br0}}, image: disk}
      nests: {nics: {net0: {on: br0}}, switches: {in: {kind: linux-bridge, uplinks: [net0]}}, image: disk}
  b: {switches: {br0: {kind: linux-bridge}}}
changes: [{at: 1s, migrate: goes, to: b, on: br0}]
)");
  const Plan plan = make_plan(site, "t", kAll);
  EXPECT_THAT(plan.guests, IsEmpty());
  EXPECT_THAT(texts(plan.unsupported),
              testing::IsSupersetOf({HasSubstr("goes: A guest that boots an image can't move"),
                                     HasSubstr("nests: The lab can't see into a guest")}));
}

}  // namespace
}  // namespace sekimori::lab

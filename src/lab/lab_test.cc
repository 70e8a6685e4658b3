// The pure parts: plans, scales, names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "importers/site.h"
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

}  // namespace
}  // namespace sekimori::lab

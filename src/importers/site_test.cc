// What good site files become.
#include "importers/site.h"

#include <fmt/format.h>

#include <set>

#include "importers/test_support.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

using model::BridgeKind;
using model::FlowKind;
using model::Mac;
using model::MachineKind;
using model::MacOrigin;
using model::PortRole;
using testing::SizeIs;

TEST(Site, ReadsTheArticlesNetwork) {
  const auto loaded = load_site("tests/data/site/article.yaml");
  ASSERT_TRUE(loaded) << loaded.error().text();
  const model::Model& m = *loaded;
  EXPECT_EQ(m.title, "Hosted server beside a wide-area Ethernet");
  EXPECT_EQ(m.source, "tests/data/site/article.yaml");
  EXPECT_THAT(m.machines, SizeIs(5));
  EXPECT_THAT(m.bridges, SizeIs(4));
  EXPECT_EQ(machine(m, "app").host, model::MachineId(index_of(m.machines, "server")));
  EXPECT_EQ(machine(m, "app").line, 8u);
  EXPECT_EQ(bridge(m, "sw2").line, 14u);
  EXPECT_EQ(bridge(m, "vmnet0").kind, BridgeKind::kHostedBridge);

  // The host's NIC splits into the uplink and the host's own use of it.
  const auto uplink = port_id(m, "server/vmnet0:eth0");
  EXPECT_EQ(m[uplink].role, PortRole::kUplink);
  EXPECT_EQ(peer(m, uplink), port_id(m, "sw1:1"));
  EXPECT_EQ(port(m, "server/vmnet0(server:eth0)").role, PortRole::kHost);
  EXPECT_EQ(port(m, "server/vmnet0(app:net0)").role, PortRole::kGuest);

  // Each access of the WAN has its site's rate and half of the delay.
  const model::Link& osaka = m[port(m, "ether:osaka").link];
  EXPECT_EQ(osaka.rate, base::mbit(10));
  EXPECT_EQ(osaka.delay, base::milliseconds(4));
  EXPECT_EQ(m[port(m, "ether:tokyo").link].rate, base::mbit(100));

  ASSERT_THAT(m.flows, SizeIs(2));
  EXPECT_EQ(m.flows[0].kind, FlowKind::kTcp);
  EXPECT_EQ(m.flows[0].rate, base::mbit(20));
  EXPECT_EQ(m.flows[0].line, 26u);
  ASSERT_THAT(m.changes, SizeIs(1));
  EXPECT_EQ(m.changes[0].at, base::seconds(60));
  EXPECT_EQ(m.changes[0].line, 30u);

  const model::Station &original = station(m, "app:net0"), &clone = station(m, "app2:net0");
  EXPECT_EQ(original.mac, clone.mac);
  EXPECT_EQ(original.ip, clone.ip);
  EXPECT_EQ(clone.mac_origin, MacOrigin::kCloned);
  EXPECT_FALSE(machine(m, "app2").running);
  EXPECT_EQ(machine(m, "app2").line, 30u);
}

TEST(Site, JsonIsYaml) {
  const auto m = parse_site(
      "{\n\t\"sekimori\": 1,\n\t\"hosts\": {\"a\": {\"nics\": {\"eth0\": {\"ip\": "
      "\"10.0.0.1\\/24\"}}}},\n\t\"switches\": {\"sw1\": null},\n\t\"links\": "
      "[[\"a:eth0\", \"sw1:1\"]]\n}\n",
      "site.json");
  ASSERT_TRUE(m) << m.error().text();
  EXPECT_EQ(m->machines.at(0).line, 3u);
  EXPECT_THAT(m->links, SizeIs(1));
}

TEST(Site, MayBeginWithAByteOrderMarkAndUseWindowsLineEnds) {
  EXPECT_TRUE(parse_site("\xef\xbb\xbfsekimori: 1\r\nhosts:\r\n  a:\r\n  b: {}\r\n", "x"));
}

// ---------------------------------------------------------------- MACs

TEST(SiteMacs, AreTheSameOnEveryRun) {
  const char* text = "hosts: {a: {nics: {eth0: {}, eth1: {mac: {drawn-from: 00:1a:4a:1a:83:00/40}}}}}\n";
  const model::Model one = parse(text), two = parse(text);
  EXPECT_EQ(one.stations.at(0).mac, two.stations.at(0).mac);
  EXPECT_EQ(one.stations.at(1).mac, two.stations.at(1).mac);
  EXPECT_NE(one.stations[1].mac, parse(std::string("seed: 2\n") + text).stations.at(1).mac);
}

TEST(SiteMacs, DoNotDependOnOtherMachines) {
  const model::Model one = parse("hosts: {a: {nics: {eth0: {}}}}");
  const model::Model two = parse("hosts: {z: {nics: {eth0: {}}}, a: {nics: {eth0: {}}}}");
  EXPECT_EQ(station(one, "a:eth0").mac, station(two, "a:eth0").mac);
}

TEST(SiteMacs, DrawnOnesLieInTheRangeAndMayMeet) {
  const model::Model m =
      parse("hosts: {h: {count: 100, nics: {e: {mac: {drawn-from: 00:1a:4a:1a:83:00/42}}}}}");
  std::set<Mac> different;
  for (const auto& s : m.stations) {
    EXPECT_EQ(s.mac.bits >> 6, 0x001a4a1a8300u >> 6);
    EXPECT_EQ(s.mac_origin, MacOrigin::kDrawn);
    different.insert(s.mac);
  }
  // 64 addresses, 100 draws: the expected number of different ones is 51, give or take 3.
  EXPECT_GT(different.size(), 35u);
  EXPECT_LT(different.size(), 64u);
}

TEST(SiteMacs, TheSizeOfTheRangeIsKept) {
  const model::Model m = parse("hosts: {a: {nics: {e: {mac: {drawn-from: 00:1a:4a:1a:83:00/42}}, f: {}}}}");
  EXPECT_EQ(station(m, "a:e").drawn_bits, 6);
  EXPECT_EQ(station(m, "a:f").drawn_bits, 0);
}

// ---------------------------------------------------------------- pools

std::vector<std::string> ranges_of(const model::Model& m) {
  std::vector<std::string> list;
  for (const auto& pool : m.pools) list.push_back(to_text(pool.first) + "-" + to_text(pool.last));
  return list;
}

TEST(SitePools, RangesAsManagersUseThem) {
  const model::Model m = parse(R"(
pools:
  hv: {kind: hyperv, host-ip: 192.168.1.17}
  vc: {kind: vcenter, id: 63}
  engine: {kind: ovirt}
  cluster: {kind: kubemacpool}
  own: {kind: kubemacpool, range: "06:00:00:00:00:00/8"}
)");
  EXPECT_THAT(ranges_of(m), testing::ElementsAre(
                                "00:15:5d:01:11:00-00:15:5d:01:11:ff", "00:50:56:bf:00:00-00:50:56:bf:ff:ff",
                                "00:1a:4a:16:01:51-00:1a:4a:16:01:e6", "02:00:00:00:00:00-02:ff:ff:ff:ff:ff",
                                "06:00:00:00:00:00-06:ff:ff:ff:ff:ff"));
  EXPECT_EQ(m.pools.at(1).line, 5u);
}

TEST(SitePools, EveryNotationOfARange) {
  const model::Model m = parse(R"(
pools:
  a: "02:00:00:00:00:00-02:00:00:00:00:ff"
  b: 02-00-00-00-00-00-02-00-00-00-00-ff
  c: 0200.0000.0000 - 0200.0000.00ff
  d: 020000000000-0200000000ff
  e: "02:00:00:00:00:77/40"
  f: {range: "02:00:00:00:00:00-02:00:00:00:00:ff"}
)");
  EXPECT_THAT(ranges_of(m), testing::Each("02:00:00:00:00:00-02:00:00:00:00:ff"));
  EXPECT_EQ(m.pools.size(), 6u);
}

TEST(SitePools, HostsAreSortedAndOnce) {
  const model::Model m =
      parse("hosts: {a: {}, b: {}}\npools: {p: {kind: ovirt, hosts: [b, a, b]}, q: {kind: ovirt, hosts: a}}");
  EXPECT_THAT(m.pools.at(0).hosts, testing::ElementsAre(model::MachineId(0), model::MachineId(1)));
  EXPECT_THAT(m.pools.at(1).hosts, testing::ElementsAre(model::MachineId(0)));
}

// ---------------------------------------------------------------- more of MACs

TEST(SiteBridgeMac, IsSetOrTheLowestOfTheUplinks) {
  const auto with = [](const char* mac) {
    return parse(
        fmt::format("hosts: {{h: {{nics: {{e: {{mac: \"a0:36:9f:00:00:01\"}}}}, switches: {{br: "
                    "{{kind: linux-bridge, uplinks: [e], ip: 10.0.0.1/24{}}}}}}}}}",
                    mac));
  };
  EXPECT_FALSE(bridge(with(""), "br").mac_is_set);
  EXPECT_EQ(to_text(station(with(""), "h:br").mac), "a0:36:9f:00:00:01");
  EXPECT_EQ(station(with(""), "h:br").mac_origin, MacOrigin::kDeclared);  // as the uplink's
  EXPECT_TRUE(bridge(with(", mac: \"02:00:00:00:00:09\""), "br").mac_is_set);
}

TEST(SitePorts, BpduGuard) {
  const model::Model m = parse(
      "hosts: {h: {switches: {v: {kind: switch}}, guests: {g: {nics: {n: {on: v, bpdu-guard: on}}}}}}\n"
      "switches: {s: {ports: {1: {bpdu-guard: on}, 2: {}}}}");
  EXPECT_TRUE(m[bridge(m, "v").ports.at(0)].bpdu_guard);
  EXPECT_TRUE(m[bridge(m, "s").ports.at(0)].bpdu_guard);
  EXPECT_FALSE(m[bridge(m, "s").ports.at(1)].bpdu_guard);
}

TEST(SitePorts, SpanningTree) {
  const model::Model m = parse(
      "switches: {s: {stp: rstp, hello: 1s, max-age: 6s, forward-delay: 4s, ports: "
      "{1: {edge: on}, 2: {edge: off, bpdu-filter: on}, 3: {path-cost: 7}}}, t: {stp: on}, u: {}}");
  const model::Bridge& s = bridge(m, "s");
  EXPECT_TRUE(s.stp && s.stp_is_rapid);
  EXPECT_EQ(s.hello_time, base::seconds(1));
  EXPECT_EQ(s.max_age, base::seconds(6));
  EXPECT_EQ(s.forward_delay, base::seconds(4));
  EXPECT_EQ(m[s.ports.at(0)].edge, model::EdgePort::kOn);
  EXPECT_EQ(m[s.ports.at(1)].edge, model::EdgePort::kOff);
  EXPECT_TRUE(m[s.ports.at(1)].bpdu_filter);
  EXPECT_EQ(m[s.ports.at(2)].edge, model::EdgePort::kAuto);
  EXPECT_EQ(m[s.ports.at(2)].path_cost, 7u);
  EXPECT_TRUE(bridge(m, "t").stp && !bridge(m, "t").stp_is_rapid);
  EXPECT_FALSE(bridge(m, "u").stp);
}

TEST(SiteMacs, AllocatedOnesAreUniqueLocalAndUnicast) {
  const model::Model m = parse("hosts: {h: {count: 5000, nics: {e: {}}}}");
  std::set<Mac> different;
  for (const auto& s : m.stations) {
    EXPECT_TRUE(s.mac.is_local() && !s.mac.is_group());
    different.insert(s.mac);
  }
  EXPECT_EQ(different.size(), 5000u);
}

TEST(SiteMacs, EveryNotation) {
  for (const char* mac : {"02:00:5e:10:00:01", "02-00-5E-10-00-01", "0200.5e10.0001", "02005e100001"}) {
    EXPECT_EQ(parse(fmt::format("hosts: {{a: {{nics: {{e: {{mac: {}}}}}}}}}", mac)).stations.at(0).mac,
              Mac{0x02005e100001});
  }
}

// ---------------------------------------------------------------- machines

TEST(SiteMachines, CountExpandsNamesAndAddresses) {
  const model::Model m = parse(
      "hosts:\n"
      "  node:\n"
      "    count: 2\n"
      "    nics: {eth0: 10.0.0.1/16}\n"
      "    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}\n"
      "    guests: {vm: {count: 3, nics: {net0: {on: br0, ip: 10.0.1.1/16, mac: \"02:00:00:00:00:07\"}}}}\n");
  EXPECT_THAT(m.machines, SizeIs(2 + 6));
  EXPECT_EQ(to_text(station(m, "node-2:eth0").ip), "10.0.0.2/16");
  EXPECT_EQ(to_text(station(m, "vm-1-1:net0").ip), "10.0.1.1/16");
  EXPECT_EQ(to_text(station(m, "vm-2-3:net0").ip), "10.0.1.6/16");
  EXPECT_EQ(station(m, "vm-1-1:net0").mac, station(m, "vm-2-3:net0").mac) << "a written MAC is repeated";
  EXPECT_EQ(machine(m, "vm-2-3").host, model::MachineId(index_of(m.machines, "node-2")));
}

TEST(SiteMachines, ArpSettings) {
  const model::Model m = parse(
      "defaults: {arp: {timeout: 60s}}\n"
      "hosts:\n"
      "  a: {arp: {confirm: none, announce: [start, 100s]}}\n"
      "  b: {arp: {timeout: 20min, confirm: probe, announce: never}}\n"
      "  c: {arp: {announce: 5s}}\n"
      "routers: {r: {}}\n");
  EXPECT_EQ(machine(m, "a").arp.timeout, base::seconds(60));
  EXPECT_FALSE(machine(m, "a").arp.confirm_by_progress || machine(m, "a").arp.confirm_by_probe);
  EXPECT_TRUE(machine(m, "a").arp.announce_at_start);
  EXPECT_EQ(machine(m, "a").arp.announce_every, base::seconds(100));
  EXPECT_EQ(machine(m, "b").arp.timeout, base::seconds(1200));
  EXPECT_TRUE(machine(m, "b").arp.confirm_by_probe && !machine(m, "b").arp.confirm_by_progress);
  EXPECT_FALSE(machine(m, "b").arp.announce_at_start);
  EXPECT_EQ(machine(m, "b").arp.announce_every, base::seconds(0));
  EXPECT_FALSE(machine(m, "c").arp.announce_at_start);
  EXPECT_EQ(machine(m, "r").arp.timeout, base::seconds(14'400));
  EXPECT_EQ(machine(m, "r").kind, MachineKind::kRouter);
}

TEST(SiteMachines, GatewayAndRoutes) {
  const model::Model m = parse(
      "hosts: {a: {nics: {eth0: 10.0.0.1/24}, gateway: 10.0.0.254, state: stopped,\n"
      "            routes: [{to: 10.1.0.0/16, via: 10.0.0.253}]}}\n");
  const model::Machine& a = machine(m, "a");
  EXPECT_FALSE(a.running);
  ASSERT_THAT(a.routes, SizeIs(2));
  EXPECT_EQ(a.routes[0].destination.length, 0);
  EXPECT_EQ(wire::to_text(a.routes[1].destination), "10.1.0.0/16");
}

TEST(SiteMachines, TwoMachinesMayHaveOneAddress) {
  EXPECT_THAT(parse("hosts: {a: {nics: {e: 10.0.0.1/24}}, b: {nics: {e: 10.0.0.1/24}}}").stations, SizeIs(2));
}

TEST(SiteMachines, VlanNicsShareAPort) {
  const model::Model m = parse(
      "routers: {r: {nics: {eth0: {}, eth0.10: 10.0.10.1/24, eth0.20: 10.0.20.1/24}}}\n"
      "switches: {s: {ports: {1: {trunk: [10, 20]}}}}\n"
      "links: [[r:eth0, s:1]]\n");
  EXPECT_EQ(station(m, "r:eth0.10").port, station(m, "r:eth0").port);
  EXPECT_EQ(station(m, "r:eth0.10").vlan, 10);
  EXPECT_EQ(station(m, "r:eth0.10").mac, station(m, "r:eth0").mac);
  EXPECT_EQ(peer(m, station(m, "r:eth0.20").port), port_id(m, "s:1"));
}

// ---------------------------------------------------------------- switches

TEST(SiteSwitches, Options) {
  const model::Model m = parse(
      "defaults: {ageing: 100s}\n"
      "switches:\n"
      "  a: {ageing: 0, learning: off, table-size: 5, stp: on, priority: 4096, vlan-aware: off}\n"
      "  b:\n"
      "  c: {kind: linux-bridge}\n"
      "  d: {kind: hub}\n");
  EXPECT_EQ(bridge(m, "a").ageing, base::seconds(0));
  EXPECT_FALSE(bridge(m, "a").learning || bridge(m, "a").vlan_aware);
  EXPECT_TRUE(bridge(m, "a").stp);
  EXPECT_EQ(bridge(m, "a").table_size, 5u);
  EXPECT_EQ(bridge(m, "a").stp_priority, 4096);
  EXPECT_EQ(bridge(m, "b").ageing, base::seconds(100));
  EXPECT_EQ(bridge(m, "b").table_size, 8192u);
  EXPECT_TRUE(bridge(m, "b").vlan_aware);
  EXPECT_FALSE(bridge(m, "c").vlan_aware);
  EXPECT_EQ(bridge(m, "c").table_size, 0u);
  EXPECT_EQ(bridge(m, "d").kind, BridgeKind::kHub);
}

TEST(SiteSwitches, KindsOfVirtualSwitches) {
  const model::Model m = parse(
      "hosts:\n"
      "  h:\n"
      "    nics: {a: {}, b: {}, c: {ip: 10.0.0.1/24}, d: {}, e: {}}\n"
      "    switches:\n"
      "      vs: {kind: esxi, uplinks: [a, b], teaming: ip-hash}\n"
      "      mv: {kind: macvlan, uplinks: [c], mode: vepa}\n"
      "      veb: {kind: sriov, uplinks: [d], static: [{station: 'g:n2', port: pf}]}\n"
      "      hv: {kind: hyperv}\n"
      "      ov: {kind: ovs, uplinks: [e], ip: 10.0.1.1/24,\n"
      "           flows: [{in-port: e, station: 'h:ov', type: arp, output: [LOCAL, 'g:n3', normal]}]}\n"
      "      soft: {kind: linux-bridge}\n"
      "    guests:\n"
      "      g:\n"
      "        nics:\n"
      "          n0: {on: vs, promiscuous-mode: on, access: 10}\n"
      "          n1: {on: hv, mac-spoofing: on}\n"
      "          n2: {on: soft}\n"
      "          n3: {on: ov}\n"
      "links: [['h/veb:pf', 'h/soft:pf']]\n");
  const model::Bridge& vs = bridge(m, "vs");
  EXPECT_EQ(vs.kind, BridgeKind::kEsxi);
  EXPECT_EQ(vs.teaming, model::Teaming::kIpHash);
  EXPECT_TRUE(vs.vlan_aware);
  const model::Port &uplink = m[vs.ports[0]], &guest = m[vs.ports[2]];
  EXPECT_TRUE(m.vlan_sets[uplink.tagged_vlans].test(10)) << "uplinks carry all VLANs";
  EXPECT_FALSE(m.vlan_sets[uplink.tagged_vlans].test(1)) << "but the untagged one";
  EXPECT_EQ(guest.pvid, 10);
  EXPECT_TRUE(guest.promiscuous);
  EXPECT_FALSE(guest.forged_transmits);
  EXPECT_EQ(bridge(m, "mv").macvlan_mode, model::MacvlanMode::kVepa);
  EXPECT_TRUE(m[bridge(m, "hv").ports[0]].forged_transmits);
  ASSERT_EQ(bridge(m, "veb").static_entries.size(), 1u);
  EXPECT_EQ(m[bridge(m, "veb").static_entries[0].port].name, "pf");
  ASSERT_EQ(bridge(m, "ov").flow_rules.size(), 1u);
  const model::FlowRule& rule = bridge(m, "ov").flow_rules[0];
  EXPECT_EQ(m[rule.in].name, "e");
  EXPECT_EQ(rule.type, model::FlowRuleType::kArp);
  EXPECT_TRUE(rule.normal);
  ASSERT_EQ(rule.out.size(), 2u);
  EXPECT_EQ(m[rule.out[0]].role, model::PortRole::kHost);
  EXPECT_EQ(m[rule.out[1]].role, model::PortRole::kGuest);
  EXPECT_EQ(bridge(m, "ov").table_size, 8192u);
}

TEST(SiteSwitches, Ports) {
  const model::Model m = parse(
      "switches:\n"
      "  s:\n"
      "    flood: off\n"
      "    ports:\n"
      "      1: {access: 10, flood: on, mac-limit: 2, isolated: on}\n"
      "      2: {trunk: [10, 20-22], native: 20, learning: off, guard: on}\n"
      "      Gi1/0/3: {trunk: all, native: none, storm-control: {broadcast: 1M, unknown-unicast: 64k}}\n"
      "hosts: {a: {nics: {e: {}}}}\n"
      "links: [[a:e, s:4]]\n");
  EXPECT_EQ(port(m, "s:1").pvid, 10);
  EXPECT_TRUE(port(m, "s:1").floods_unknown && port(m, "s:1").isolated);
  EXPECT_EQ(port(m, "s:1").mac_limit, 2u);
  EXPECT_EQ(port(m, "s:2").pvid, 20);
  EXPECT_EQ(m.vlan_sets.at(port(m, "s:2").tagged_vlans).count(), 3u) << "10, 21, 22; 20 is untagged";
  EXPECT_FALSE(port(m, "s:2").floods_unknown || port(m, "s:2").learning);
  EXPECT_TRUE(port(m, "s:2").guard);
  EXPECT_EQ(port(m, "s:Gi1/0/3").pvid, 0);
  EXPECT_EQ(m.vlan_sets.at(port(m, "s:Gi1/0/3").tagged_vlans).count(), 4094u);
  EXPECT_EQ(m.storm_controls.at(port(m, "s:Gi1/0/3").storm_control).unknown_unicast, base::kbit(64));
  EXPECT_FALSE(port(m, "s:4").floods_unknown) << "flood: off holds for ports made later, too";
}

TEST(SiteSwitches, ABridgesOwnInterfaceHasTheLowestMacOfItsUplinks) {
  const model::Model m = parse(
      "hosts: {h: {nics: {e0: {mac: \"02:00:00:00:00:09\"}, e1: {mac: \"02:00:00:00:00:05\"}},\n"
      "            switches: {br0: {kind: linux-bridge, uplinks: [e0, e1], ip: 10.0.0.1/24}}}}\n");
  EXPECT_EQ(to_text(station(m, "h:br0").mac), "02:00:00:00:00:05");
  EXPECT_EQ(port(m, "h/br0(h:br0)").role, PortRole::kHost);
  // Only the bridge's own interface is the host's; the unnumbered uplinks have no host port.
  ASSERT_THAT(bridge(m, "br0").ports, SizeIs(3));
  ASSERT_THAT(bridge(m, "br0").static_entries, SizeIs(1));
  EXPECT_EQ(bridge(m, "br0").static_entries[0].mac, station(m, "h:br0").mac);
  EXPECT_EQ(
      to_text(
          station(parse("hosts: {h: {nics: {e0: {}}, switches: {br0: {kind: linux-bridge, uplinks: e0, ip: "
                        "10.0.0.1/24, mac: 02:00:00:00:00:aa}}}}"),
                  "h:br0")
              .mac),
      "02:00:00:00:00:aa");
}

TEST(SiteSwitches, GuestPortsHaveTheSettingsOfTheNic) {
  const model::Model m = parse(
      "hosts:\n"
      "  h:\n"
      "    nics: {e: {}}\n"
      "    switches: {br0: {kind: linux-bridge, uplinks: [e], ports: {e: {trunk: all}}}}\n"
      "    guests: {g: {nics: {n: {on: br0, access: 10, flood: off, learning: off, isolated: yes}}}}\n");
  const model::Port& p = port(m, "h/br0(g:n)");
  EXPECT_TRUE(bridge(m, "br0").vlan_aware) << "because its ports have VLANs";
  EXPECT_EQ(p.pvid, 10);
  EXPECT_FALSE(p.floods_unknown || p.learning);
  EXPECT_TRUE(p.isolated);
}

TEST(SiteSwitches, AGuestMayBridgeItsNics) {
  const model::Model m = parse(
      "hosts:\n"
      "  h:\n"
      "    switches: {a: {kind: linux-bridge}, b: {kind: linux-bridge}}\n"
      "    guests:\n"
      "      g: {nics: {n0: {on: a}, n1: {on: b}}, switches: {br: {kind: linux-bridge, uplinks: [n0, "
      "n1]}}}\n");
  EXPECT_EQ(m[peer(m, port_id(m, "g/br:n0"))].bridge, model::BridgeId(index_of(m.bridges, "a")));
  EXPECT_EQ(m[peer(m, port_id(m, "g/br:n1"))].bridge, model::BridgeId(index_of(m.bridges, "b")));
}

TEST(SiteSwitches, StaticEntries) {
  const model::Model m = parse(
      "hosts:\n"
      "  h:\n"
      "    nics: {e: {mac: \"02:00:00:00:00:01\"}}\n"
      "    switches: {br0: {kind: linux-bridge, uplinks: [e], static: [{station: g:n}, {mac: 0200.0000.0005, "
      "port: e}]}}\n"
      "    guests: {g: {nics: {n: {on: br0}}}}\n"
      "switches: {s: {ports: {1: {access: 7}}, static: [{station: g:n, port: 1}, {station: g:n, port: 2, "
      "vlan: 9}]}}\n"
      "links: [[h:e, s:1], [s:2, s:3]]\n");
  const auto& on_bridge = bridge(m, "br0").static_entries;
  ASSERT_THAT(on_bridge, SizeIs(2));
  EXPECT_EQ(on_bridge[0].mac, station(m, "g:n").mac);
  EXPECT_EQ(on_bridge[0].port, port_id(m, "h/br0(g:n)"));
  EXPECT_EQ(on_bridge[1].port, port_id(m, "h/br0:e"));
  const auto& on_switch = bridge(m, "s").static_entries;
  ASSERT_THAT(on_switch, SizeIs(2));
  EXPECT_EQ(on_switch[0].vlan, 7);
  EXPECT_EQ(on_switch[1].vlan, 9);
  EXPECT_EQ(on_switch[1].port, port_id(m, "s:2"));
}

// ---------------------------------------------------------------- links, traffic

TEST(SiteLinks, FormsAndDefaults) {
  const model::Model m = parse(
      "defaults: {link: {rate: 100M, delay: 2us, queue: 64KiB}}\n"
      "hosts: {h: {switches: {a: {kind: linux-bridge}, b: {kind: hub}}}}\n"
      "switches: {s: {}}\n"
      "wans: {w: {sites: {x: 50M, y: {rate: 1G, delay: 3ms}}, delay: 10ms}}\n"
      "links:\n"
      "  - [s:1, s:2]\n"
      "  - [s:3, s:4, 10Gbit/s]\n"
      "  - {between: [s:5, s:6], rate: 1G, delay: 1ms, queue: 1MiB, state: down}\n"
      "  - [h/a:p, h/b:p]\n"
      "  - [s:7, w:x, 10M]\n"
      "  - {between: [w:y, s:8], delay: 1ms}\n");
  ASSERT_THAT(m.links, SizeIs(6));
  EXPECT_EQ(m.links[0].rate, base::mbit(100));
  EXPECT_EQ(m.links[0].delay, base::microseconds(2));
  EXPECT_EQ(m.links[0].queue_bytes, 65536u);
  EXPECT_EQ(m.links[0].line, 7u);
  EXPECT_EQ(m.links[1].rate, base::gbit(10));
  EXPECT_FALSE(m.links[2].up);
  EXPECT_EQ(m.links[2].queue_bytes, 1u << 20);
  EXPECT_TRUE(m.links[3].is_virtual);
  EXPECT_EQ(m.links[3].rate, base::gbit(10));
  EXPECT_EQ(m.links[4].rate, base::mbit(10)) << "the smaller of the two";
  EXPECT_EQ(m.links[4].delay, base::milliseconds(5)) << "half of the WAN's";
  EXPECT_EQ(m.links[5].rate, base::gbit(1));
  EXPECT_EQ(m.links[5].delay, base::milliseconds(4)) << "the site's and the link's";
}

TEST(SiteTraffic, KindsAndDefaults) {
  const model::Model m = parse(
      "hosts: {a: {nics: {e: 10.0.0.1/24}}, b: {nics: {e: {}, f: 10.0.0.2/24}}}\n"
      "traffic:\n"
      "  - {from: a, to: b, kind: udp, every: 100ms, size: 10}\n"
      "  - {from: a:e, to: b:f, kind: tcp, start: 10s, stop: 20s}\n"
      "  - {from: a, to: b, kind: request}\n"
      "  - {from: a, to: b, kind: ping, every: 50ms}\n");
  ASSERT_THAT(m.flows, SizeIs(4));
  EXPECT_EQ(name_of(m, m.flows[0].to_station), "b:f") << "the first with an address";
  EXPECT_EQ(m.flows[0].interval, base::milliseconds(100));
  EXPECT_EQ(m.flows[0].payload, 10u);
  EXPECT_FALSE(m.flows[0].from_station.valid());
  EXPECT_EQ(name_of(m, m.flows[1].from_station), "a:e");
  EXPECT_EQ(m.flows[1].payload, 1448u);
  EXPECT_EQ(m.flows[1].start, base::seconds(10));
  EXPECT_EQ(m.flows[1].stop, base::seconds(20));
  EXPECT_EQ(m.flows[2].interval, base::seconds(1));
  EXPECT_EQ(m.flows[2].response, 1000u);
  EXPECT_EQ(m.flows[3].stop, base::kNever);
}

TEST(SiteTraffic, FollowsRoutesOverRouters) {
  const model::Model m = parse(
      "hosts: {a: {nics: {e: 10.0.0.1/24}, gateway: 10.0.0.254}, b: {nics: {e: 10.0.2.1/24}, gateway: "
      "10.0.2.254}}\n"
      "routers:\n"
      "  r1: {nics: {x: 10.0.0.254/24, y: 10.0.1.1/30}, routes: [{to: 10.0.2.0/24, via: 10.0.1.2}]}\n"
      "  r2: {nics: {x: 10.0.1.2/30, y: 10.0.2.254/24}, gateway: 10.0.1.1}\n"
      "traffic: [{from: a, to: b, kind: ping}]\n");
  EXPECT_THAT(m.flows, SizeIs(1));
}

// ---------------------------------------------------------------- changes

constexpr std::string_view kTwoHosts =
    "hosts:\n"
    "  h1:\n"
    "    nics: {e: 10.0.0.1/24}\n"
    "    switches: {br0: {kind: linux-bridge, uplinks: [e]}}\n"
    "    guests: {app: {nics: {n: {on: br0, ip: 10.0.0.9/24, flood: off, isolated: on}}}}\n"
    "  h2:\n"
    "    nics: {e: 10.0.0.2/24}\n"
    "    switches: {br0: {kind: linux-bridge, uplinks: [e]}, other: {kind: switch}}\n"
    "switches: {s: {}}\n"
    "links: [[h1:e, s:1], [h2:e, s:2]]\n";

TEST(SiteChanges, AreSortedByTime) {
  const model::Model m = parse(std::string(kTwoHosts) +
                               "changes:\n"
                               "  - {at: 3s, set: s, ageing: 60s, learning: off}\n"
                               "  - {at: 1s, stop: app}\n"
                               "  - {at: 2s, link-down: [h1:e, s:1]}\n"
                               "  - {at: 2s, link-up: s:2}\n");
  ASSERT_THAT(m.changes, SizeIs(5));
  EXPECT_TRUE(std::holds_alternative<model::StopMachine>(m.changes[0].what));
  EXPECT_EQ(std::get<model::SetLink>(m.changes[1].what).link, port(m, "s:1").link);
  EXPECT_TRUE(std::get<model::SetLink>(m.changes[2].what).up);
  EXPECT_EQ(std::get<model::SetBridge>(m.changes[3].what).value, base::seconds(60).count());
  EXPECT_EQ(std::get<model::SetBridge>(m.changes[4].what).option, model::BridgeOption::kLearning);
}

TEST(SiteChanges, AMigrationHasItsPortReady) {
  const model::Model m = parse(std::string(kTwoHosts) +
                               "changes:\n"
                               "  - {at: 1s, migrate: app, to: h2, announce: off}\n"
                               "  - {at: 2s, migrate: app, to: h1}\n");
  const auto& there = std::get<model::MigrateMachine>(m.changes.at(0).what);
  EXPECT_FALSE(there.announce);
  ASSERT_THAT(there.moves, SizeIs(1));
  const auto [nic, standby] = there.moves[0];
  EXPECT_EQ(name_of(m, nic), "app:n");
  EXPECT_NE(standby, m[nic].port);
  EXPECT_FALSE(m[m[standby].link].up);
  const model::PortId far = peer(m, standby);
  EXPECT_EQ(name_of(m, m[far].bridge), "h2/br0") << "the switch of the same name";
  EXPECT_EQ(m[far].role, PortRole::kGuest);
  EXPECT_TRUE(m[far].isolated && !m[far].floods_unknown) << "the settings move along";
  const auto& back = std::get<model::MigrateMachine>(m.changes.at(1).what);
  EXPECT_TRUE(back.announce);
  EXPECT_EQ(name_of(m, m[peer(m, back.moves.at(0).second)].bridge), "h1/br0");
}

TEST(SiteChanges, ClonesOfClonesAndTheirTraffic) {
  const model::Model m = parse(std::string(kTwoHosts) +
                               "changes:\n"
                               "  - {at: 9s, clone: two, as: three, on: br0, ip: 10.0.0.77/24}\n"
                               "  - {at: 5s, clone: app, as: two, on: h2/br0}\n"
                               "  - {at: 6s, clone: app, as: four, on: h2}\n"
                               "traffic: [{from: h1, to: three, kind: ping}]\n");
  EXPECT_EQ(name_of(m, m[peer(m, station(m, "two:n").port)].bridge), "h2/br0");
  EXPECT_EQ(name_of(m, m[peer(m, station(m, "three:n").port)].bridge), "h2/br0")
      << "a switch of the same host";
  EXPECT_EQ(name_of(m, m[peer(m, station(m, "four:n").port)].bridge), "h2/br0");
  EXPECT_EQ(to_text(station(m, "three:n").ip), "10.0.0.77/24");
  EXPECT_EQ(station(m, "three:n").mac, station(m, "app:n").mac);
  EXPECT_TRUE(m[peer(m, station(m, "two:n").port)].isolated);
  EXPECT_THAT(m.flows, SizeIs(1));
}

TEST(SiteLinuxBridge, MasksAndNeighbours) {
  const model::Model m = parse(
      "hosts:\n"
      "  h:\n"
      "    nics: {e: {}}\n"
      "    switches:\n"
      "      br0:\n"
      "        kind: linux-bridge\n"
      "        uplinks: [e]\n"
      "        group-fwd-mask: 0x4008\n"
      "        ports: {e: {neigh-suppress: on, group-fwd-mask: 4}}\n"
      "        neighbours: [\"a:n\", {station: \"far:n\", mac: \"02:00:00:00:00:99\"}]\n"
      "    guests: {a: {nics: {n: {on: br0, ip: [10.0.0.1/24, \"2001:db8::1/64\"], group-fwd-mask: 0}}}}\n"
      "  far: {nics: {n: 10.0.0.2/24}}\n"
      "links: [[h:e, far:n]]\n");
  const model::Bridge& br = bridge(m, "br0");
  EXPECT_EQ(br.group_forward_mask, 0x4008);
  const model::Port& uplink = m[br.ports.at(0)];
  EXPECT_TRUE(uplink.neigh_suppress);
  EXPECT_EQ(uplink.group_forward_mask, 4);
  ASSERT_THAT(br.neighbours, SizeIs(3)) << "both addresses of a, and far";
  EXPECT_EQ(to_text(br.neighbours[0].ip), "10.0.0.1");
  EXPECT_EQ(br.neighbours[0].mac, station(m, "a:n").mac);
  EXPECT_EQ(to_text(br.neighbours[1].ip6), "2001:db8::1");
  EXPECT_EQ(to_text(br.neighbours[2].mac), "02:00:00:00:00:99");
}

TEST(SiteImages, AreRelativeToTheSiteAndSharedByCountsAndClones) {
  constexpr std::string_view kSite =
      "sekimori: 1\n"
      "hosts:\n"
      "  h:\n"
      "    switches: {v: {kind: hub}}\n"
      "    guests:\n"
      "      a: {nics: {n: {on: v}}, image: d.qcow2, count: 2}\n"
      "      b: {nics: {n: {on: v}}, image: {kernel: /k, initrd: in/i, append: quiet ro, memory: 64MiB}}\n"
      "      c: {nics: {n: {on: v}}}\n"
      "changes: [{at: 1s, clone: b, as: b2}]\n";
  const auto m = parse_site(kSite, "some/where/site.yaml");
  ASSERT_TRUE(m.has_value()) << m.error().text();
  const auto image_of = [&](std::string_view name) {
    return std::ranges::find(m->machines, name, &model::Machine::name)->image;
  };
  ASSERT_THAT(m->images, SizeIs(2));
  EXPECT_EQ(m->images[0].disk, "some/where/d.qcow2");
  EXPECT_EQ(m->images[0].memory, 256u << 20);
  EXPECT_EQ(m->images[1].kernel, "/k");
  EXPECT_EQ(m->images[1].initrd, "some/where/in/i");
  EXPECT_EQ(m->images[1].append, "quiet ro");
  EXPECT_EQ(m->images[1].memory, 64u << 20);
  EXPECT_EQ(image_of("a-2"), model::ImageId(0u));
  EXPECT_EQ(image_of("b2"), model::ImageId(1u));
  EXPECT_FALSE(image_of("c").valid());
  EXPECT_EQ(parse_site(kSite, "site.yaml")->images[0].disk, "d.qcow2");
}

// ---------------------------------------------------------------- reuse

TEST(SiteReuse, AnchorsAliasesAndMergeKeys) {
  const model::Model m = parse(
      "hosts:\n"
      "  h:\n"
      "    nics: {e0: &nic {promiscuous: on}, e1: *nic}\n"
      "    switches:\n"
      "      br0: &bridge {kind: linux-bridge, uplinks: [e0], ageing: 60s}\n"
      "      br1: {<<: *bridge, uplinks: [e1]}\n"
      "      br2: {uplinks: [], ageing: 5s, <<: [{ageing: 7s, stp: on}, *bridge]}\n");
  EXPECT_TRUE(station(m, "h:e1").promiscuous);
  EXPECT_EQ(bridge(m, "br1").ageing, base::seconds(60));
  EXPECT_EQ(name_of(m, bridge(m, "br1").ports.at(0)), "h/br1:e1");
  EXPECT_EQ(bridge(m, "br2").ageing, base::seconds(5));
  EXPECT_TRUE(bridge(m, "br2").stp);
}

}  // namespace
}  // namespace sekimori::importers

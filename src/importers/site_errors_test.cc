// What bad site files are told. Each case is a text (from line 2 on), and what its only problem says.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "importers/test_support.h"

namespace sekimori::importers {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

struct Case {
  std::string text;
  std::string at;    // "line:column: "
  std::string what;  // a part of the message
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.text.substr(0, 200); }

class OneProblem : public testing::TestWithParam<Case> {};

TEST_P(OneProblem, IsTold) {
  EXPECT_THAT(problems_of(GetParam().text),
              ElementsAre(AllOf(StartsWith(GetParam().at), HasSubstr(GetParam().what))))
      << GetParam().text.substr(0, 500);
}

constexpr auto name = [](const auto& info) { return fmt::format("{:03}", info.index); };

// A site with two hosts and a router on one switch, and what is shared, in line 6.
std::string with_shared(std::string_view shared) {
  return fmt::format(
      "hosts: {{a: {{nics: {{e: 10.0.0.1/24}}}}, b: {{nics: {{e: 10.0.0.2/24, bare: }}}}}}\n"
      "routers: {{r: {{nics: {{e: 10.0.0.3/24, f: 10.9.0.3/24}}}}}}\n"
      "switches: {{s: {{}}}}\n"
      "links: [[a:e, s:1], [b:e, s:2], [r:e, s:3]]\n"
      "shared: {{{}}}\n",
      shared);
}

INSTANTIATE_TEST_SUITE_P(
    Shared, OneProblem,
    testing::Values(
        Case{with_shared("w: {kind: vrrp, ip: 10.0.0.9, members: [a:e]}"),
             "6:10: ", "has a `vrid`, 1 to 255"},
        Case{with_shared("w: {kind: hsrp, ip: 10.0.0.9, members: [a:e]}"), "6:10: ", "has a `group`"},
        Case{with_shared("w: {kind: vrrp, vrid: 256, ip: 10.0.0.9, members: [a:e]}"),
             "6:32: ", "from 1 to 255"},
        Case{with_shared("w: {kind: hsrp, group: 256, ip: 10.0.0.9, members: [a:e]}"),
             "6:33: ", "from 0 to 255"},
        Case{with_shared("w: {kind: nlb, vrid: 1, ip: 10.0.0.9, members: [a:e]}"),
             "6:31: ", "'vrid' goes with `kind: vrrp` only"},
        Case{with_shared("w: {kind: nlb, members: [a:e]}"), "6:10: ", "'w' has no `ip`"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.0.9}"), "6:10: ", "the members are missing"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.0.9, members: [a:x]}"), "6:49: ", "'a' has no NIC 'x'"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.0.9, members: [a]}"), "6:49: ", "write machine:nic"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.0.9, members: [a:e, a:e]}"),
             "6:54: ", "a:e is a member twice"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.0.9, members: [{priority: 3}]}"),
             "6:49: ", "a member has a `nic`"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.1.9, members: [a:e]}"),
             "6:48: ", "is not in the network of a:e"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.0.9, members: [b:bare]}"), "6:48: ", "has no IP address"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.0.1, members: [a:e]}"), "6:48: ", "10.0.0.1"},
        Case{with_shared("a: {kind: nlb, ip: 10.0.0.9, members: [a:e]}"),
             "6:10: ", "the name 'a' is used twice"},
        Case{
            with_shared(
                "v: {kind: nlb, ip: 10.0.0.8, members: [a:e]}, w: {kind: nlb, ip: 10.0.0.9, members: [a:e]}"),
            "6:94: ", "a:e is in a cluster already"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.0.9, members: [a:e, b:e]}") +
                 "traffic: [{from: a, to: b, kind: ping}]",
             "7:11: ", "members of one cluster in unicast mode and cannot talk to each other"},
        Case{with_shared("w: {kind: nlb, ip: 10.0.0.9, members: [a:e, b:e]}") +
                 "traffic: [{from: a, to: w, kind: ping}]",
             "7:25: ", "'a' is a member of 'w' itself"}),
    name);

INSTANTIATE_TEST_SUITE_P(
    Values, OneProblem,
    testing::Values(
        Case{"shared: {web: {ip: 10.0.0.1}}", "2:10: ", "the kind is missing"},
        Case{"shared: {web: {kind: nbl}}", "2:22: ", "did you mean 'nlb'?"},
        Case{"titel: x", "2:1: ", "unknown key 'titel' in a site, did you mean 'title'?"},
        Case{"seed: -1", "2:7: ", "seed is a whole number from 0"}, Case{"seed: 1.5", "2:7: ", "found '1.5'"},
        Case{"title: [a]", "2:8: ", "expected a title, found a list"},
        Case{"hosts: [a, b]", "2:8: ", "'hosts' must be a mapping of names"},
        Case{"links: {a: b}", "2:8: ", "'links' must be a list, found a mapping"},
        Case{"switches: {s: {ageing: 300}}", "2:24: ", "write 300s"},
        Case{"switches: {s: {ageing: 300S}}", "2:24: ", "there is no unit \"S\""},
        Case{"switches: {s: {ageing: -5s}}", "2:24: ", "negative"},
        Case{"switches: {s: {ageing: .nan}}", "2:24: ", "does not begin with a number"},
        Case{"switches: {s: {ageing: .inf}}", "2:24: ", "does not begin with a number"},
        Case{"switches: {s: {ageing: 31d}}", "2:24: ", "out of range; it may be 0s to 30d"},
        Case{"switches: {s: {ageing: 99999999999999999999s}}", "2:24: ", "too big"},
        Case{"switches: {s: {ageing: }}", "2:16: ", "found nothing"},
        Case{"switches: {s: {ageing: [1s]}}", "2:24: ", "found a list"},
        Case{"switches: {s: {learning: maybe}}", "2:26: ", "learning is on or off, found 'maybe'"},
        Case{"switches: {s: {table-size: -3}}", "2:28: ", "from 0 to 16777216"},
        Case{"switches: {s: {table-size: 99999999999999999999}}", "2:28: ", "from 0 to 16777216"},
        Case{"switches: {s: {priority: 70000}}", "2:26: ", "0 to 65535"},
        Case{"switches: {s: {kind: linux-bridge, ports: {1: {access: 7}}, static: [{mac: 02:00:00:00:00:01, "
             "port: 1, "
             "vlan: 9}]}}",
             "2:110: ", "'s:1' is not in VLAN 9, and a Linux bridge takes no entry for it"},
        Case{"switches: {s: {kind: linux-bridge, ports: {1: {trunk: [7], native: none}}, static: [{mac: "
             "02:00:00:00:00:01, "
             "port: 1}]}}",
             "2:85: ", "'s:1' takes no untagged frames: say the `vlan`"},
        Case{"switches: {s: {kind: swich}}", "2:22: ", "did you mean 'switch'?"},
        Case{"switches: {s: {ports: {1: {acess: 1}}}}", "2:28: ", "did you mean 'access'?"},
        Case{"switches: {s: {ports: {1: {access: 5000}}}}", "2:36: ", "from 1 to 4094, found '5000'"},
        Case{"switches: {s: {ports: {1: {access: 0}}}}", "2:36: ", "from 1 to 4094"},
        Case{"switches: {s: {ports: {1: {trunk: [1, x]}}}}",
             "2:39: ", "a VLAN is a number from 1 to 4094 or a range"},
        Case{"switches: {s: {ports: {1: {trunk: 30-20}}}}", "2:35: ", "runs backwards"},
        Case{"switches: {s: {ports: {1: {access: 1, trunk: [2]}}}}", "2:36: ", "either `access`"},
        Case{"switches: {s: {vlan-aware: off, ports: {1: {access: 1}}}}", "2:53: ", "not VLAN-aware"},
        Case{"switches: {s: {kind: hub, ports: {1: {access: 1}}}}", "2:47: ", "a hub knows no VLANs"},
        Case{"switches: {s: {kind: hub, stp: on}}", "2:32: ", "'stp' means nothing to a hub"},
        Case{"defaults: {link: {rate: 11Tbit/s}}", "2:25: ", "it may be 1bit/s to 10Tbit/s"},
        Case{"defaults: {link: {rate: 0Mbit/s}}", "2:25: ", "out of range"},
        Case{"defaults: {link: {rate: 10MB/s}}", "2:25: ", "no unit \"MB/s\""},
        Case{"defaults: {link: {rate: 10}}", "2:25: ", "write 10Mbit/s"},
        Case{"defaults: {link: {delay: 2min}}", "2:26: ", "0s to 60s"},
        Case{"defaults: {link: {queue: 2GiB}}", "2:26: ", "1600B to 1024MiB"},
        Case{"defaults: {link: {queue: 128}}", "2:26: ", "write 128B"}),
    name);

INSTANTIATE_TEST_SUITE_P(
    Machines, OneProblem,
    testing::Values(
        Case{"hosts: {a b: {}}", "2:9: ", "has a space"}, Case{"hosts: {a/b: {}}", "2:9: ", "has ':' or '/'"},
        Case{"hosts: {\"\": {}}", "2:9: ", "is empty"},
        Case{"hosts: {a: {}, b: {}, a: {}}", "2:23: ", "'a' stands twice in this mapping; first in line 2"},
        Case{"hosts: {a: {}}\nswitches: {a: {}}", "3:12: ", "the name 'a' is used twice; first in line 2"},
        Case{"switches: {a: {}}\nwans: {a: {sites: {x: 1M}}}",
             "3:8: ", "the name 'a' is used twice; first in line 2"},
        Case{"hosts:\n  a: {guests: {b: {}}}\n  b: {}", "4:3: ", "first in line 3"},
        Case{"hosts: {a: {nics: {e: {mac: 01:00:5e:00:00:01}}}}", "2:29: ", "is a group (multicast) address"},
        Case{"hosts: {a: {nics: {e: {mac: 00:00:00:00:00:00}}}}", "2:29: ", "no NIC's address"},
        Case{"hosts: {a: {nics: {e: {mac: \"02:00:00:00:00\"}}}}", "2:29: ", "is not a MAC address"},
        Case{"hosts: {a: {nics: {e: {mac: {from: x}}}}}", "2:30: ", "unknown key 'from' in a drawn-mac"},
        Case{"hosts: {a: {nics: {e: {mac: {drawn-from: 00:1a:4a:1a:83:00}}}}}",
             "2:42: ", "is written 00:1a:4a:1a:83:00/40"},
        Case{"hosts: {a: {nics: {e: {mac: {drawn-from: 01:1a:4a:1a:83:00/40}}}}}", "2:42: ", "unicast"},
        Case{"hosts: {a: {nics: {e: 10.0.0.1}}}", "2:23: ", "write 10.0.0.1/24"},
        Case{"hosts: {a: {nics: {e: 10.0.0.256/24}}}", "2:23: ", "is an IPv4 address with its prefix length"},
        Case{"hosts: {a: {nics: {e: 10.0.0.0/24}}}", "2:23: ", "address of the whole network"},
        Case{"hosts: {a: {nics: {e: 10.0.0.255/24}}}", "2:23: ", "broadcast address"},
        Case{"hosts: {a: {nics: {e: 224.0.0.1/24}}}", "2:23: ", "unicast address"},
        Case{"hosts: {a: {nics: {e: 127.0.0.1/8}}}", "2:23: ", "unicast address"},
        Case{"hosts: {a: {nics: {e.5000: {}}}}", "2:20: ", "a VLAN ID is 1 to 4094"},
        Case{"hosts:\n  a:\n    nics:\n      e: 10.0.0.1/24\n      f: 10.0.0.1/24",
             "6:7: ", "'a' has the address 10.0.0.1 twice, on e (line 5) and f"},
        Case{"hosts: {a: {nics: {e: 10.0.0.1/24}, gateway: 10.0.1.1}}",
             "2:46: ", "in none of the networks of 'a' (10.0.0.0/24)"},
        Case{"hosts: {a: {nics: {e: 10.0.0.1/24}, gateway: 10.0.0.1}}", "2:46: ", "an address of 'a' itself"},
        Case{"hosts: {a: {gateway: 10.0.0.1}}", "2:22: ", "'a' has no address"},
        Case{"hosts: {a: {nics: {e: 10.0.0.1/24}, routes: [{to: 10.1.0.1/16, via: 10.0.0.2}]}}",
             "2:51: ", "the network is 10.1.0.0/16"},
        Case{"hosts: {a: {nics: {e: 10.0.0.1/24}, routes: [{to: default}]}}",
             "2:46: ", "a route is {to: NETWORK, via: ADDRESS}"},
        Case{"hosts: {a: {arp: {confirm: [progres]}}}", "2:29: ", "did you mean 'progress'?"},
        Case{"hosts: {a: {arp: {announce: 0s}}}", "2:29: ", "1ms to 30d"},
        Case{"hosts: {a: {arp: {announce: sometimes}}}", "2:29: ", "is one of start, never"},
        Case{"hosts: {a: {state: runing}}", "2:20: ", "did you mean 'running'?"},
        Case{"hosts: {a: {count: 0}}", "2:20: ", "count is a whole number from 1 to 4000000"},
        Case{"hosts: {a: {count: 1000000000000}}", "2:20: ", "from 1 to 4000000, found '1000000000000'"},
        Case{"hosts: {a: {count: 4000000, nics: {e: 10.0.0.1/24}}}",
             "2:39: ", "counted up for '-255', the 255th, the address leaves"},
        Case{"hosts: {a: {count: 3000, guests: {b: {count: 4000000}}}}",
             "2:35: ", "more than 4000000 machines"}),
    name);

INSTANTIATE_TEST_SUITE_P(
    VirtualSwitches, OneProblem,
    testing::Values(
        Case{"hosts: {h: {switches: {v: {}}}}", "2:24: ", "the kind of 'v' is missing"},
        Case{"hosts: {h: {switches: {v: {kind: macvlan}}}}", "2:24: ", "a macvlan has exactly one NIC"},
        Case{"hosts: {h: {switches: {v: {kind: hub, mode: vepa}}}}", "2:45: ", "only a macvlan has a mode"},
        Case{"hosts: {h: {switches: {v: {kind: hub, teaming: port-id}}}}", "2:48: ", "only esxi and hyperv"},
        Case{"hosts: {h: {switches: {v: {kind: esxi, ageing: 3s}}}}",
             "2:48: ", "'ageing' means nothing to a"},
        Case{"hosts: {h: {switches: {v: {kind: hub, flows: []}}}}", "2:46: ", "only ovs has flows"},
        Case{"hosts: {h: {switches: {v: {kind: ovs, flows: [{output: [LOCAL]}]}}}}",
             "2:57: ", "no LOCAL port"},
        Case{"hosts: {h: {switches: {v: {kind: ovs, flows: [{}]}}}}", "2:47: ", "a flow needs an `output`"},
        Case{"hosts: {h: {switches: {v: {kind: hub}}, guests: {g: {nics: {n: {on: v, mac-spoofing: on}}}}}}",
             "2:86: ", "only a port of hyperv has `mac-spoofing`, not a hub"},
        Case{"hosts: {h: {switches: {v: {kind: esxi}, w: {kind: hub}}}}\nlinks: [[h/v:a, h/w:a]]",
             "3:9: ", "has ports for NICs only"},
        Case{"hosts: {h: {switches: {v: {kind: e-lan}}}}", "2:34: ", "kind is one of hosted-bridge"},
        Case{"hosts: {h: {switches: {v: {kind: hosted-bridge}}}}", "2:24: ", "exactly one NIC"},
        Case{"hosts: {h: {nics: {a: {}, b: {}}, switches: {v: {kind: hosted-bridge, uplinks: [a, b]}}}}",
             "2:80: ", "exactly one NIC"},
        Case{"hosts: {h: {nics: {eth0: {}}, switches: {v: {kind: switch, uplinks: [eth1]}}}}",
             "2:70: ", "'h' has no NIC 'eth1', did you mean 'eth0'?"},
        Case{"hosts: {h: {nics: {e: {}}, switches: {v: {kind: hub, uplinks: [e]}, w: {kind: hub, uplinks: "
             "[e]}}}}",
             "2:94: ", "already the uplink of h/v"},
        Case{"hosts: {h: {nics: {e.10: {}}, switches: {v: {kind: hub, uplinks: [e.10]}}}}",
             "2:67: ", "is a VLAN of a NIC"},
        Case{"hosts: {h: {switches: {v: {kind: hub}, w: {kind: hub, uplinks: [v]}}}}", "2:65: ",
             "'v' is a virtual switch, not a NIC; two virtual switches of a machine are joined by a link"},
        Case{"hosts: {h: {switches: {v: {kind: hub, uplinks: [v]}}}}", "2:49: ", "is a virtual switch"},
        Case{"hosts: {h: {switches: {v: {kind: hub, ip: 10.0.0.1/24}}}}",
             "2:43: ", "only a linux-bridge or ovs is an interface"},
        Case{"hosts: {h: {switches: {v: {kind: hub, filters-local: on}}}}", "2:54: ", "only a hosted-bridge"},
        Case{"hosts: {h: {nics: {e: 10.0.0.1/24}, switches: {v: {kind: linux-bridge, uplinks: [e], ip: "
             "10.0.0.2/24}}}}",
             "2:90: ", "both 'v' and its uplink 'e' (line 2) have an address"},
        Case{"hosts: {h: {guests: {g: {nics: {n: {}}}}}}", "2:33: ", "NIC 'n' is on no virtual switch"},
        Case{"hosts: {h: {guests: {g: {nics: {n: {on: v}}}}}}",
             "2:41: ", "'h' has no virtual switches, and so no 'v'"},
        Case{"hosts: {h: {guests: {g: {nics: {n: {on: g}}}}}}", "2:41: ", "'g' cannot be on itself"},
        Case{"hosts: {h: {guests: {g: {nics: {n: {on: b}}, switches: {b: {kind: hub}}}}}}",
             "2:41: ", "'b' cannot be on itself"},
        Case{"hosts: {h: {switches: {vm0: {kind: hub}}, guests: {g: {nics: {n: {on: vmo}}}}}}",
             "2:71: ", "did you mean 'vm0'?"},
        Case{"hosts: {h: {switches: {v: {kind: hub}}}, i: {guests: {g: {nics: {n: {on: v}}}}}}",
             "2:74: ", "'i' has no virtual switches, and so no 'v'; the one of that name is in 'h' (line 2)"},
        Case{"hosts: {h: {switches: {v: {kind: hub}}, guests: {g: {nics: {n: {on: v, access: 3}}}}}}",
             "2:80: ", "knows no VLANs"},
        Case{"hosts: {h: {guests: {g: {guests: {}}}}}", "2:26: ", "unknown key 'guests' in a guest"},
        Case{"hosts: {h: {image: d}}", "2:13: ", "unknown key 'image' in a host"},
        Case{"hosts: {h: {guests: {g: {image: }}}}", "2:26: ", "kernel: vmlinuz"},
        Case{"hosts: {h: {guests: {g: {image: []}}}}", "2:33: ", "image"},
        Case{"hosts: {h: {guests: {g: {image: {kernel: k, initrds: i}}}}}",
             "2:45: ", "did you mean 'initrd'?"},
        Case{"hosts: {h: {guests: {g: {image: {memory: 1GiB}}}}}",
             "2:33: ", "a `disk` or a `kernel`, one of"},
        Case{"hosts: {h: {guests: {g: {image: {disk: d, kernel: k}}}}}", "2:33: ", "one of the two"},
        Case{"hosts: {h: {guests: {g: {image: {disk: d, initrd: i}}}}}", "2:51: ", "goes with a `kernel`"},
        Case{"hosts: {h: {guests: {g: {image: {disk: d, append: i}}}}}", "2:51: ", "goes with a `kernel`"},
        Case{"hosts: {h: {guests: {g: {image: {kernel: {}}}}}}", "2:42: ", "expected a kernel"},
        Case{"hosts: {h: {guests: {g: {image: {kernel: k, memory: 1MiB}}}}}", "2:53: ", "memory"}),
    name);

// A host with a Linux bridge, whose settings are in line 5.
std::string on_linux_bridge(std::string_view settings) {
  return fmt::format(
      "hosts:\n  h:\n    nics: {{e: {{}}, f: 10.0.0.1/24}}\n    switches: {{b: {{kind: linux-bridge, {}}}}}",
      settings);
}

INSTANTIATE_TEST_SUITE_P(
    LinuxBridges, OneProblem,
    testing::Values(
        Case{"switches: {s: {group-fwd-mask: 8}}", "2:32: ", "only a linux-bridge has `group-fwd-mask`"},
        Case{"switches: {s: {neighbours: []}}", "2:28: ", "only a linux-bridge has `neighbours`"},
        Case{"switches: {s: {ports: {1: {neigh-suppress: on}}}}",
             "2:44: ", "only a port of a linux-bridge has `neigh-suppress`"},
        Case{on_linux_bridge("group-fwd-mask: lldp"), "5:56: ", "as 0x4000 for LLDP; found 'lldp'"},
        Case{on_linux_bridge("group-fwd-mask: 0x10000"), "5:56: ", "from 0 to 0xffff"},
        Case{on_linux_bridge("group-fwd-mask: -1"), "5:56: ", "from 0 to 0xffff"},
        Case{on_linux_bridge("group-fwd-mask: 4"), "5:56: ", "none of the first three bits"},
        Case{on_linux_bridge("ports: {e: {group-fwd-mask: 3}}"), "5:68: ", "does not take the bits"},
        Case{on_linux_bridge("ports: {e: {neigh-suppress: on, access: 5}}"),
             "5:68: ", "suppression in VLANs is not modelled"},
        Case{on_linux_bridge("neighbours: [h:x]"), "5:53: ", "'h' has no NIC 'x'"},
        Case{on_linux_bridge("neighbours: [h:e]"), "5:53: ", "'h:e' has no IP address"},
        Case{on_linux_bridge("neighbours: [{mac: \"02:00:00:00:00:01\"}]"), "5:53: ", "a neighbour is a"},
        Case{on_linux_bridge("neighbours: [{station: h:f, mac: x}]"), "5:73: ", "MAC"}),
    name);

// A sender, and what is wrong with its traffic to a group in line 3.
std::string to_group(std::string_view flow) {
  return fmt::format("hosts: {{h: {{nics: {{e: {{ip: 10.0.0.1/24}}}}}}}}\ntraffic: [{{from: h, {}}}]", flow);
}

INSTANTIATE_TEST_SUITE_P(
    Multicast, OneProblem,
    testing::Values(
        Case{"hosts: {h: {nics: {e: {groups: [10.0.0.2]}}}}", "2:33: ", "'10.0.0.2' is no multicast group"},
        Case{"hosts: {h: {nics: {e: {groups: {}}}}}", "2:32: ", "must be a list"},
        Case{"hosts: {h: {nics: {e: {querier: on}}}}", "2:33: ", "only a router's NIC is a `querier`"},
        Case{"switches: {s: {kind: hub, multicast-snooping: on}}",
             "2:47: ", "has `multicast-snooping`, not a hub"},
        Case{"switches: {s: {kind: ovs, multicast-snooping: on, multicast-querier: on}}",
             "2:70: ", "Open vSwitch never asks"},
        Case{"switches: {s: {multicast-querier: on}}", "2:35: ", "listens to the answers"},
        Case{"switches: {s: {multicast-snooping: on, multicast-querier: 239.1.1.1}}",
             "2:59: ", "a querier can't have the address 239.1.1.1"},
        Case{"switches: {s: {multicast-snooping: on, multicast-querier: often}}", "2:59: ", "found 'often'"},
        Case{"switches: {s: {kind: linux-bridge, unregistered-multicast: flood}}",
             "2:60: ", "it has no choice"},
        Case{"switches: {s: {unregistered-multicast: drop}}", "2:40: ", "one of flood, routers"},
        Case{to_group("to: 239.1.1.1, kind: tcp"), "3:25: ", "only udp goes to a multicast group"},
        Case{to_group("to: \"ff15::1\", kind: udp, every: 1s"),
             "3:18: ", "'h' has no IPv6 address to send from"},
        Case{to_group("to: 239.1.1.1, kind: udp, every: 1s, family: ipv6"),
             "3:66: ", "of the other version"}),
    name);

INSTANTIATE_TEST_SUITE_P(
    Links, OneProblem,
    testing::Values(Case{"switches: {sw1: {}}\nlinks: [[sw1:1, sv1:2]]",
                         "3:17: ", "no machine, switch or WAN 'sv1', did you mean 'sw1'?"},
                    Case{"switches: {b: {}}\nlinks: [[a, b:1]]", "3:10: ", "'a' names no port"},
                    Case{"links: [[a:1]]", "2:9: ", "a link is [end, end]"},
                    Case{"switches: {s: {}}\nlinks:\n  - [s:1, s:2]\n  - [s:3, s:1]",
                         "5:11: ", "port s:1 is used twice; it is already in the link s:1 - s:2 (line 4)"},
                    Case{"switches: {s: {}}\nlinks: [[s:1, s:1]]", "3:10: ", "cannot be linked to itself"},
                    Case{"switches: {s: {}}\nlinks: [[s:1, s:2, 5]]", "3:20: ", "write 5Mbit/s"},
                    Case{"switches: {s: {}}\nwans: {w: {sites: {tokyo: 1M}}}\nlinks: [[s:1, w:tokio]]",
                         "4:15: ", "no site 'tokio', did you mean 'tokyo'?"},
                    Case{"switches: {s: {}}\nhosts: {h: {}}\nlinks: [[s:1, h:eth0]]",
                         "4:15: ", "'h' has no NICs"},
                    Case{"switches: {s: {}}\nhosts: {h: {nics: {eth0: }}}\nlinks: [[s:1, h:eth1]]",
                         "4:15: ", "did you mean 'eth0'?"},
                    Case{"switches: {s: {}}\nhosts: {h: {switches: {v: {kind: hub}}, guests: {g: {nics: {n: "
                         "{on: v}}}}}}\nlinks: [[s:1, g:n]]",
                         "4:15: ", "its NICs are joined by `on`"},
                    Case{"switches: {s: {}}\nhosts: {h: {switches: {v: {kind: hub}}}}\nlinks: [[s:1, h/v:1]]",
                         "4:9: ", "h/v is inside a machine"},
                    Case{"hosts: {h: {switches: {v: {kind: hub}}}, i: {switches: {v: {kind: hub}}}}\nlinks: "
                         "[[i/v:1, h/v:1]]",
                         "3:9: ", "different machines"},
                    Case{"hosts: {h: {switches: {v: {kind: hub}}}}\nlinks: [[h/v:1, h/w:1]]",
                         "3:17: ", "'h' has no virtual switch 'w'"},
                    Case{"wans: {w: {}}", "2:8: ", "'w' has no sites"},
                    Case{"wans: {w: {sites: {a: 1}}}", "2:23: ", "write 1Mbit/s"}),
    name);

INSTANTIATE_TEST_SUITE_P(
    Pools, OneProblem,
    testing::Values(
        Case{"pools: {p: }", "2:9: ", "found nothing; a pool is {kind"},
        Case{"pools: {p: {}}", "2:9: ", "the pool 'p' needs a `range`"},
        Case{"pools: {p: 02:00}", "2:12: ", "a range of MAC addresses is written"},
        Case{"pools: {p: {range: \"02:00:00:00:00:00/49\"}}", "2:20: ", "prefix length 8 to 48"},
        Case{"pools: {p: {range: \"02:00:00:00:00:01-02:00:00:00:00:00\"}}", "2:20: ", "runs backwards"},
        Case{"pools: {p: {range: \"02:00:00:00:00:00-04:00:00:00:00:00\"}}", "2:20: ", "has group addresses"},
        Case{"pools: {p: {range: \"01:00:00:00:00:00/16\"}}", "2:20: ", "has group addresses"},
        Case{"pools: {p: {kind: esxi}}",
             "2:19: ", "kind is one of range, hyperv, vcenter, ovirt, kubemacpool"},
        Case{"pools: {p: {kind: hyperv}}", "2:9: ", "needs a `range` or `host-ip`"},
        Case{"pools: {p: {kind: vcenter}}", "2:9: ", "needs a `range` or `id`"},
        Case{"pools: {p: {kind: vcenter, id: 64}}", "2:32: ", "from 0 to 63, found '64'"},
        Case{"pools: {p: {kind: ovirt, id: 1}}", "2:30: ", "'id' goes with `kind: vcenter` only"},
        Case{"pools: {p: {kind: vcenter, id: 1, range: \"02:00:00:00:00:00/40\"}}", "2:32: ", "write one"},
        Case{"pools: {p: {kind: ovirt, hosts: [h]}}", "2:34: ", "there is no machine 'h'"},
        Case{"routers: {r: {}}\npools: {p: {kind: ovirt, hosts: [r]}}", "3:34: ", "'r' is a router"},
        Case{"pools: {a b: {kind: ovirt}}", "2:9: ", "has a space"}),
    name);

constexpr const char* kPair =
    "hosts: {a: {nics: {e: 10.0.0.1/24}}, b: {nics: {e: 10.0.1.1/24, f: {}}}, c: {nics: {e: 10.0.0.3/24}}}\n";
const auto traffic = [](const char* flow) { return std::string(kPair) + "traffic:\n  - " + flow; };

INSTANTIATE_TEST_SUITE_P(
    Traffic, OneProblem,
    testing::Values(
        Case{traffic("{from: a, to: b, kind: ping}"),
             "4:5: ", "no route from a to b (10.0.1.1): a is on no network with it and has no `gateway`"},
        Case{traffic("{from: a, to: c}"), "4:5: ", "the kind of traffic is missing"},
        Case{traffic("{from: a, kind: ping}"), "4:5: ", "traffic has no 'to'"},
        Case{traffic("{from: a, to: d, kind: ping}"), "4:19: ", "there is no machine 'd'"},
        Case{traffic("{from: a, to: a, kind: ping}"), "4:19: ", "sends to itself"},
        Case{traffic("{from: a, to: b:f, kind: ping}"), "4:19: ", "'b:f' has no address"},
        Case{traffic("{from: a, to: c:x, kind: ping}"), "4:19: ", "'c' has no NIC 'x'"},
        Case{traffic("{from: a, to: c, kind: udp}"),
             "4:5: ", "udp needs one of `rate: 1Mbit/s` and `every: 100ms`"},
        Case{traffic("{from: a, to: c, kind: ping, rate: 1M}"), "4:40: ", "a ping has an interval"},
        Case{traffic("{from: a, to: c, kind: tcp, every: 1s}"), "4:40: ", "tcp has a rate"},
        Case{traffic("{from: a, to: c, kind: tcp, size: 9000}"), "4:39: ", "1 to 1448"},
        Case{traffic("{from: a, to: c, kind: tcp, response: 5}"), "4:43: ", "only a request has a response"},
        Case{traffic("{from: a, to: c, kind: ping, start: 5s, stop: 5s}"),
             "4:5: ", "must stop after it starts"},
        Case{traffic("ping"), "4:5: ", "expected the keys of a flow"},
        Case{"hosts: {a: {nics: {e: 10.0.0.1/24}, gateway: 10.0.0.2}, b: {nics: {e: 10.0.1.1/24}}, c: {nics: "
             "{e: 10.0.0.2/24}}}\n"
             "traffic: [{from: a, to: b, kind: udp, rate: 1M}]",
             "3:11: ", "a sends it to 10.0.0.2, which is no router's address"},
        Case{"hosts: {a: {nics: {e: 10.0.0.1/24}, gateway: 10.0.0.254}, b: {nics: {e: 10.0.1.1/24}}}\n"
             "routers: {r: {nics: {x: 10.0.0.254/24, y: 10.0.1.254/24}}}\n"
             "traffic: [{from: a, to: b, kind: ping}]",
             "4:11: ", "the answers find no way back: no route from b to a"},
        Case{"hosts: {a: {nics: {e: 10.0.0.1/24}, gateway: 10.0.0.254}, b: {nics: {e: 10.0.9.1/24}}}\n"
             "routers: {r: {nics: {x: 10.0.0.254/24}, gateway: 10.0.0.253}, q: {nics: {x: 10.0.0.253/24}, "
             "gateway: 10.0.0.254}}\n"
             "traffic: [{from: a, to: b, kind: udp, rate: 1M}]",
             "4:11: ", "goes in circles"}),
    name);

constexpr const char* kHosts =
    "hosts: {h: {nics: {e: {}}, switches: {v: {kind: hub}}, guests: {g: {nics: {n: {on: v}}}}}, i: "
    "{}}\nswitches: {s: {}}\n";
const auto change = [](const char* text) { return std::string(kHosts) + "changes:\n  - " + text; };

INSTANTIATE_TEST_SUITE_P(
    Changes, OneProblem,
    testing::Values(Case{change("{at: 5s}"), "5:5: ", "nothing changes here"},
                    Case{change("{start: g}"), "5:5: ", "the time is missing"},
                    Case{change("{at: 5, start: g}"), "5:10: ", "write 5s"},
                    Case{change("{at: 40d, start: g}"), "5:10: ", "0s to 30d"},
                    Case{change("{at: 5s, start: gg}"), "5:21: ", "there is no machine 'gg'"},
                    Case{change("{at: 5s, start: s}"), "5:21: ", "'s' is a switch"},
                    Case{change("{at: 5s, start: g, stop: h}"), "5:5: ", "one change at a time"},
                    Case{change("{at: 5s, start: g, to: h}"), "5:28: ", "'to' does not go with 'start'"},
                    Case{change("{at: 5s, clone: g}"), "5:5: ", "the name of the clone is missing"},
                    Case{change("{at: 5s, clone: h, as: h2}"), "5:21: ", "only guests can be cloned"},
                    Case{change("{at: 5s, clone: g, as: h}"), "5:21: ", "used twice"},
                    Case{change("{at: 5s, clone: g, as: k, on: i}"), "5:35: ", "'i' has 0 virtual switches"},
                    Case{change("{at: 5s, clone: k, as: k}"), "5:21: ", "'k' does not exist yet at 5s"},
                    Case{change("{at: 5s, clone: k, as: l}\n  - {at: 6s, clone: g, as: k}"),
                         "5:21: ", "'k' does not exist yet at 5s: it is cloned at 6s (line 6)"},
                    Case{change("{at: 5s, migrate: g, to: h}"), "5:30: ", "'g' is on 'h' already"},
                    Case{change("{at: 5s, migrate: g, to: i}"),
                         "5:30: ", "'i' has 0 virtual switches, none named 'v'"},
                    Case{change("{at: 5s, migrate: h, to: i}"), "5:23: ", "only guests migrate"},
                    Case{change("{at: 5s, migrate: g, to: g}"), "5:30: ", "guests migrate to hosts"},
                    Case{change("{at: 5s, migrate: g}"), "5:5: ", "the target is missing"},
                    Case{change("{at: 5s, link-down: h:e}"), "5:25: ", "nothing is plugged into h:e"},
                    Case{change("{at: 5s, link-down: s:1}"), "5:25: ", "'s' has no port in use '1'"},
                    Case{change("{at: 5s, set: q, stp: on}"), "5:19: ", "there is no switch 'q'"},
                    Case{change("{at: 5s, set: s}"), "5:5: ", "'set' needs one of"},
                    Case{change("{at: 5s, set: s, filters-local: on}"), "5:37: ", "only a hosted-bridge"},
                    Case{change("{at: 5s, set: h/w, stp: on}"), "5:19: ", "'h' has no virtual switch 'w'"}),
    name);

const auto statics = [](const char* entry) {
  return "hosts: {h: {nics: {e: {}}}}\nswitches: {s: {static: [" + std::string(entry) +
         "]}}\nlinks: [[h:e, s:1]]";
};

INSTANTIATE_TEST_SUITE_P(
    StaticEntries, OneProblem,
    testing::Values(Case{statics("{port: 1}"), "3:25: ", "one of `mac: ADDRESS` and `station: machine:nic`"},
                    Case{statics("{mac: 02:00:00:00:00:01}"), "3:25: ", "needs a `port`"},
                    Case{statics("{mac: 02:00:00:00:00:01, port: 7}"), "3:56: ", "'s' has no port '7'"},
                    Case{statics("{station: h, port: 1}"), "3:35: ", "names no NIC"},
                    Case{statics("{station: h:f, port: 1}"), "3:35: ", "'h' has no NIC 'f'"}),
    name);

INSTANTIATE_TEST_SUITE_P(
    Yaml, OneProblem,
    testing::Values(Case{"hosts: {a: {}\n", "", "not valid YAML"},
                    Case{"hosts:\n\t- a", "", "not valid YAML"},
                    Case{"hosts: *nothing", "2:9: ", "*nothing refers to nothing"},
                    Case{"hosts: &a {b: *a}", "2:16: ", "inside of what it refers to"},
                    Case{"title: !!str x", "2:", "YAML tags"},
                    Case{"? [a, b]\n: c", "2:3: ", "a key must be a word"},
                    Case{"~: c", "2:1: ", "a key must be a word"},
                    Case{"hosts: {<<: 5}", "2:9: ", "`<<` needs a mapping"},
                    Case{"---\nsekimori: 1", "2:", "second YAML document"},
                    Case{"title: \"a\x01z\"", "2:10: ", "byte 0x01 has no place in a text file"},
                    Case{std::string("title: a\0z", 10), "2:9: ", "byte 0x00 has no place"},
                    Case{"title: caf\xe9", "2:11: ", "byte 0xe9 is not valid UTF-8"},
                    Case{"title: " + std::string(70'000, 'x'), "2:8: ", "70000 bytes long"},
                    Case{"title: " + std::string(100'000, '['), "2:", "nested more than 64 levels"},
                    Case{"title: " + std::string(100'000, '{'), "2:9: ", "a key must be a word"}),
    name);

// ---------------------------------------------------------------- whole files

TEST(SiteErrors, AllOfAFileAtOnce) {
  EXPECT_THAT(problems_of("titel: x\n"
                          "hosts:\n"
                          "  a: {nics: {eth0: {ip: 10.0.0.1}}}\n"
                          "switches:\n"
                          "  s: {ageing: 300}\n"
                          "links:\n"
                          "  - [a:eth1, s:1]\n"
                          "  - [b:eth0, s:2]\n"
                          "changes:\n"
                          "  - {at: 1s, strat: a}\n"),
              ElementsAre(StartsWith("2:1:"), StartsWith("4:25:"), StartsWith("6:15:"), StartsWith("8:6:"),
                          StartsWith("9:6:"), StartsWith("11:5:"), StartsWith("11:14:")));
}

TEST(SiteErrors, VersionIsRequired) {
  EXPECT_THAT(problems_of("hosts: {}", ""), ElementsAre(HasSubstr("begins with `sekimori: 1`")));
  EXPECT_THAT(problems_of("sekimori: 2", ""), ElementsAre(HasSubstr("must be 1, found '2'")));
  EXPECT_THAT(problems_of("- a", ""), ElementsAre(HasSubstr("no site file")));
  EXPECT_THAT(problems_of("just words", ""), ElementsAre(HasSubstr("no site file")));
  EXPECT_THAT(problems_of("# nothing but a comment\n", ""), ElementsAre(HasSubstr("no site file")));
}

TEST(SiteErrors, TextShowsTheLineAndACaret) {
  const auto result = parse_site("sekimori: 1\ntitle: 監視 \nhosts: {サーバ: {stat: x}}\n", "a.yaml");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().text(),
            "a.yaml:3:15: error: unknown key 'stat' in a host, did you mean 'state'?\n"
            "    hosts: {サーバ: {stat: x}}\n"
            "                  ^\n");
}

TEST(SiteErrors, LongLinesAreCut) {
  const auto result = parse_site("sekimori: 1\ntitle: " + std::string(500, 'x') + "\n\"" +
                                     std::string(300, 'y') + "\": " + std::string(300, 'z') + "\n",
                                 "a.yaml");
  ASSERT_FALSE(result);
  EXPECT_LT(result.error().text().size(), 1200u);
}

TEST(SiteErrors, AreCapped) {
  std::string text = "sekimori: 1\n";
  for (int i = 0; i < 5000; ++i) text += fmt::format("k{}: 1\n", i);
  const auto result = parse_site(text, "a.yaml");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().problems, SizeIs(1000));
  EXPECT_TRUE(result.error().too_many);
  EXPECT_THAT(result.error().text(), HasSubstr("a.yaml: at least 950 more errors are not shown\n"));
  EXPECT_THAT(result.error().text(2), HasSubstr("at least 998 more"));
}

TEST(SiteErrors, ALaughingBombIsRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    text += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i,
                        i - 1);
  }
  EXPECT_THAT(problems_of(text), ElementsAre(HasSubstr("multiply this file to more than 16000000 values")));
  std::string merge = "a0: &a0 {k0: 1, k1: 1}\n";
  for (int i = 1; i < 40; ++i)
    merge += fmt::format("a{0}: &a{0} {{<<: [*a{1}, *a{1}], b{0}: 1}}\n", i, i - 1);
  EXPECT_THAT(problems_of(merge), ElementsAre(HasSubstr("multiply this file")));
}

TEST(SiteErrors, WholeFiles) {
  const auto what = [](const std::string& path) {
    const auto result = load_site(path);
    return result ? std::string("loaded") : result.error().text();
  };
  EXPECT_THAT(what("/no/such/site.yaml"), HasSubstr("/no/such/site.yaml: error: there is no such file"));
  EXPECT_THAT(what("tests"), HasSubstr("is a directory"));
  const std::string path = testing::TempDir() + "sekimori-site-errors.yaml";
  std::ofstream(path) << " \n\n";
  EXPECT_THAT(what(path), HasSubstr("is empty"));
  std::ofstream(path) << "\xff\xfes";
  EXPECT_THAT(what(path), HasSubstr("UTF-16"));
  std::ofstream(path) << "\x7f"
                         "ELF\x02\x01";
  EXPECT_THAT(what(path), HasSubstr("binary file"));
  std::filesystem::permissions(path, std::filesystem::perms::none);
  if (!std::ifstream(path)) {  // root reads everything
    EXPECT_THAT(what(path), HasSubstr("cannot be opened: Permission denied"));
  }
  std::filesystem::remove(path);
}

TEST(SiteErrors, AHundredMegabytesOfJunk) {
  const std::string junk = [] {
    std::string text;
    while (text.size() < 100'000'000) text += "junk, and more of it\n";
    return text;
  }();
  EXPECT_THAT(problems_of(junk, ""), ElementsAre(HasSubstr("bytes long")));
  std::string noise = junk;
  std::ranges::fill(noise, '\xee');
  EXPECT_THAT(problems_of(noise, ""), ElementsAre(HasSubstr("not valid UTF-8")));
}

}  // namespace
}  // namespace sekimori::importers

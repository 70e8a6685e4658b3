#include "tests/oracle/scenarios.h"

#include <algorithm>

#include "tests/support/cards.h"

namespace sekimori::oracle {
namespace {

using base::seconds;

// A leak in a flat office: the host pings its guest, whose answers stay inside.
constexpr std::string_view kLeakByPing = R"(
defaults: {ageing: 5s}
hosts:
  server:
    nics: {eth0: 10.0.0.1/24}
    switches: {vmnet0: {kind: hosted-bridge, uplinks: [eth0]}}
    guests: {app: {nics: {net0: {on: vmnet0, ip: 10.0.0.9/24}}}}
  desk: {nics: {eth0: 10.0.0.2/24}}
  printer: {nics: {eth0: 10.0.0.3/24}}
switches: {sw1: {}, sw2: {}}
links: [[server:eth0, sw1:1], [desk:eth0, sw1:2], [sw1:24, sw2:24], [printer:eth0, sw2:1]]
traffic:
  - {from: server, to: app, kind: ping, every: 100ms}
  - {from: desk, to: printer, kind: request, every: 500ms}
)";

// The guest announces itself more often than switches forget: the leak is there, and floods nothing.
constexpr std::string_view kLatentLeak = R"(
defaults: {ageing: 5s}
hosts:
  server:
    nics: {eth0: 10.0.0.1/24}
    switches: {vmnet0: {kind: hosted-bridge, uplinks: [eth0]}}
    guests: {app: {nics: {net0: {on: vmnet0, ip: 10.0.0.9/24}}, arp: {announce: [start, 3s]}}}
  desk: {nics: {eth0: 10.0.0.2/24}}
switches: {sw1: {}}
links: [[server:eth0, sw1:1], [desk:eth0, sw1:2]]
traffic:
  - {from: server, to: app, kind: tcp, rate: 500kbit/s}
  - {from: desk, to: server, kind: request, every: 500ms}
)";

constexpr std::string_view kTwoGuests = R"(
defaults: {ageing: 5s}
hosts:
  server:
    nics: {eth0: 10.0.0.1/24}
    switches: {vmnet0: {kind: hosted-bridge, uplinks: [eth0]}}
    guests:
      app: {nics: {net0: {on: vmnet0, ip: 10.0.0.9/24}}}
      db: {nics: {net0: {on: vmnet0, ip: 10.0.0.10/24}}}
  desk: {nics: {eth0: 10.0.0.2/24}}
switches: {sw1: {}}
links: [[server:eth0, sw1:1], [desk:eth0, sw1:2]]
traffic:
  - {from: server, to: app, kind: tcp, rate: 500kbit/s}
  - {from: server, to: db, kind: tcp, rate: 500kbit/s}
)";

constexpr std::string_view kLeakOnATrunk = R"(
defaults: {ageing: 5s}
hosts:
  server:
    nics: {eth0: 10.0.0.1/24}
    switches: {vmnet0: {kind: hosted-bridge, uplinks: [eth0]}}
    guests: {app: {nics: {net0: {on: vmnet0, ip: 10.0.0.9/24}}}}
  desk: {nics: {eth0: 10.0.0.2/24}}
  far: {nics: {eth0: 10.0.0.3/24}}
  other: {nics: {eth0: 10.0.20.2/24}}
  another: {nics: {eth0: 10.0.20.3/24}}
switches:
  sw1: {ports: {1: {access: 10}, 2: {access: 10}, 3: {access: 20}, 24: {trunk: [10, 20], native: none}}}
  sw2: {ports: {1: {access: 10}, 2: {access: 20}, 24: {trunk: [10, 20], native: none}}}
links:
  - [server:eth0, sw1:1]
  - [desk:eth0, sw1:2]
  - [other:eth0, sw1:3]
  - [sw1:24, sw2:24]
  - [far:eth0, sw2:1]
  - [another:eth0, sw2:2]
traffic:
  - {from: server, to: app, kind: tcp, rate: 500kbit/s}
  - {from: desk, to: far, kind: ping, every: 200ms}
  - {from: other, to: another, kind: tcp, rate: 200kbit/s}
)";

// One sender, one sink, one switch.
constexpr std::string_view kSink = R"(
defaults: {ageing: 5s}
hosts:
  camera: {nics: {eth0: 10.0.0.1/24}, arp: {timeout: 30d}}
  sink: {nics: {eth0: 10.0.0.2/24}}
  desk: {nics: {eth0: 10.0.0.3/24}}
  idle: {nics: {eth0: 10.0.0.4/24}}
switches: {sw1: {}}
links: [[camera:eth0, sw1:1], [sink:eth0, sw1:2], [desk:eth0, sw1:3], [idle:eth0, sw1:4]]
traffic:
  - {from: camera, to: sink, kind: udp, every: 20ms, size: 500}
  - {from: desk, to: camera, kind: request, every: 500ms}
)";

// The same; the sender asks again every 20 s.
constexpr std::string_view kSinkAskedFor = R"(
defaults: {ageing: 5s}
hosts:
  camera: {nics: {eth0: 10.0.0.1/24}, arp: {timeout: 20s, confirm: none}}
  sink: {nics: {eth0: 10.0.0.2/24}}
  desk: {nics: {eth0: 10.0.0.3/24}}
  idle: {nics: {eth0: 10.0.0.4/24}}
switches: {sw1: {}}
links: [[camera:eth0, sw1:1], [sink:eth0, sw1:2], [desk:eth0, sw1:3], [idle:eth0, sw1:4]]
traffic:
  - {from: camera, to: sink, kind: udp, every: 20ms, size: 500}
  - {from: desk, to: camera, kind: request, every: 500ms}
)";

constexpr std::string_view kBlocked = R"(
defaults: {ageing: 5s}
hosts:
  camera: {nics: {eth0: 10.0.0.1/24}, arp: {timeout: 30d}}
  sink: {nics: {eth0: 10.0.0.2/24}}
  desk: {nics: {eth0: 10.0.0.3/24}}
switches: {sw1: {flood: off}}
links: [[camera:eth0, sw1:1], [sink:eth0, sw1:2], [desk:eth0, sw1:3]]
traffic:
  - {from: camera, to: sink, kind: udp, every: 20ms, size: 500}
  - {from: desk, to: camera, kind: request, every: 500ms}
)";

// Switched off while somebody goes on sending.
constexpr std::string_view kSwitchedOff = R"(
defaults: {ageing: 5s}
hosts:
  client: {nics: {eth0: 10.0.0.1/24}, arp: {timeout: 30d}}
  server: {nics: {eth0: 10.0.0.2/24}}
  desk: {nics: {eth0: 10.0.0.3/24}}
switches: {sw1: {}}
links: [[client:eth0, sw1:1], [server:eth0, sw1:2], [desk:eth0, sw1:3]]
traffic:
  - {from: client, to: server, kind: request, every: 200ms}
  - {from: client, to: desk, kind: request, every: 500ms}
changes: [{at: 10s, stop: server}]
)";

constexpr std::string_view kLearningOff = R"(
hosts:
  a: {nics: {eth0: {mac: "a0:36:9f:00:00:01", ip: 10.0.0.1/24}}}
  b: {nics: {eth0: {mac: "a0:36:9f:00:00:02", ip: 10.0.0.2/24}}}
  c: {nics: {eth0: {mac: "a0:36:9f:00:00:03", ip: 10.0.0.3/24}}}
  d: {nics: {eth0: {mac: "a0:36:9f:00:00:04", ip: 10.0.0.4/24}}}
switches: {sw1: {learning: off}}
links: [[a:eth0, sw1:1], [b:eth0, sw1:2], [c:eth0, sw1:3], [d:eth0, sw1:4]]
traffic:
  - {from: a, to: b, kind: tcp, rate: 300kbit/s}
  - {from: c, to: a, kind: ping, every: 200ms}
)";

// Only what comes in at one port is not learnt: the station behind it is flooded, though it answers.
constexpr std::string_view kLearningOffAtAPort = R"(
hosts:
  a: {nics: {eth0: {mac: "a0:36:9f:00:00:01", ip: 10.0.0.1/24}}}
  b: {nics: {eth0: {mac: "a0:36:9f:00:00:02", ip: 10.0.0.2/24}}}
  c: {nics: {eth0: {mac: "a0:36:9f:00:00:03", ip: 10.0.0.3/24}}}
  d: {nics: {eth0: {mac: "a0:36:9f:00:00:04", ip: 10.0.0.4/24}}}
switches: {sw1: {ports: {2: {learning: off}}}}
links: [[a:eth0, sw1:1], [b:eth0, sw1:2], [c:eth0, sw1:3], [d:eth0, sw1:4]]
traffic:
  - {from: a, to: b, kind: tcp, rate: 300kbit/s}
  - {from: c, to: a, kind: ping, every: 200ms}
)";

constexpr std::string_view kTwoCables = R"(
hosts:
  a: {nics: {eth0: 10.0.0.1/24}}
  b: {nics: {eth0: 10.0.0.2/24}}
switches: {sw1: {}, sw2: {}}
links: [[a:eth0, sw1:1], [b:eth0, sw2:1], [sw1:23, sw2:23, 10Mbit/s], [sw1:24, sw2:24, 10Mbit/s]]
traffic:
  - {from: a, to: b, kind: ping, every: 100ms}
)";

// Three copies of a template, each on a host of its own.
constexpr std::string_view kThreeClones = R"(
hosts:
  client: {nics: {eth0: 10.0.0.1/24}}
  h1:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests: {vm1: {nics: {net0: {on: br0, mac: "00:16:3e:5a:10:01", ip: 10.0.0.11/24}}}}
  h2:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests: {vm2: {nics: {net0: {on: br0, mac: "00:16:3e:5a:10:01", ip: 10.0.0.12/24}}}}
  h3:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests: {vm3: {nics: {net0: {on: br0, mac: "00:16:3e:5a:10:01", ip: 10.0.0.13/24}}}}
switches: {sw1: {}}
links: [[client:eth0, sw1:1], [h1:eth0, sw1:2], [h2:eth0, sw1:3], [h3:eth0, sw1:4]]
traffic:
  - {from: client, to: vm1, kind: ping, every: 100ms}
  - {from: client, to: vm2, kind: ping, every: 100ms}
  - {from: client, to: vm3, kind: ping, every: 100ms}
)";

constexpr std::string_view kTwoOwners = R"(
hosts:
  a: {nics: {eth0: 10.0.0.1/24}, arp: {timeout: 5s, confirm: none}}
  b: {nics: {eth0: 10.0.0.2/24}, arp: {announce: [start, 7s]}}
  c: {nics: {eth0: 10.0.0.2/24}, arp: {announce: [start, 5s]}}
  d: {nics: {eth0: 10.0.0.3/24}}
switches: {sw1: {}}
links: [[a:eth0, sw1:1], [b:eth0, sw1:2], [c:eth0, sw1:3], [d:eth0, sw1:4]]
traffic: [{from: a, to: b, kind: ping, every: 100ms}, {from: d, to: a, kind: ping, every: 300ms}]
)";

constexpr std::string_view kMigration = R"(
defaults: {ageing: 10s}
hosts:
  client: {nics: {eth0: 10.0.0.1/24}, arp: {timeout: 30d}}
  desk: {nics: {eth0: 10.0.0.2/24}}
  h1:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests: {g: {nics: {net0: {on: br0, ip: 10.0.0.9/24}}}}
  h2: {nics: {eth0: {}}, switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}}
switches: {sw1: {}, sw2: {}}
links: [[client:eth0, sw1:1], [h1:eth0, sw1:2], [sw1:24, sw2:24], [h2:eth0, sw2:3], [desk:eth0, sw2:4]]
traffic:
  - {from: client, to: g, kind: KIND}
  - {from: desk, to: client, kind: ping, every: 500ms}
changes: [{at: 10s, migrate: g, to: h2, announce: HOW}]
)";

// Answers take another way: two routers, and a guest whose default is the other one.
constexpr std::string_view kTwoRouters = R"(
defaults: {ageing: 5s}
hosts:
  app: {nics: {eth0: 10.0.10.2/24}, gateway: 10.0.10.1}
  web: {nics: {eth0: 10.0.10.3/24}, gateway: 10.0.10.1}
  db: {nics: {eth0: 10.0.20.2/24}, gateway: 10.0.20.254}
  quiet: {nics: {eth0: 10.0.20.3/24}, gateway: 10.0.20.1}
routers:
  r1: {nics: {app: 10.0.10.1/24, db: 10.0.20.1/24}, arp: {timeout: 30d}}
  r2: {nics: {app: 10.0.10.254/24, db: 10.0.20.254/24}, arp: {timeout: 30d}}
switches: {sw1: {}, sw2: {}, sw3: {}}
links:
  - [app:eth0, sw1:1]
  - [web:eth0, sw1:4]
  - [r1:app, sw1:2]
  - [r2:app, sw1:3]
  - [db:eth0, sw2:1]
  - [r2:db, sw2:2]
  - [sw2:24, sw3:24]
  - [r1:db, sw3:1]
  - [quiet:eth0, sw3:2, 100Mbit/s]
traffic:
  - {from: app, to: db, kind: tcp, rate: 400kbit/s}
  - {from: web, to: db, kind: ping, every: 100ms}
  - {from: quiet, to: app, kind: ping, every: 500ms}
)";

constexpr std::string_view kFullTable = R"(
hosts:
  node:
    count: 3
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests: {vm: {count: 25, nics: {net0: {on: br0, ip: 10.0.0.1/24}}, arp: {announce: [start, 5s]}}}
  client: {nics: {eth0: 10.0.0.91/24}}
  desk: {nics: {eth0: 10.0.0.92/24}}
switches: {sw1: {table-size: 60}}
links: [[node-1:eth0, sw1:1], [node-2:eth0, sw1:2], [node-3:eth0, sw1:3], [client:eth0, sw1:5], [desk:eth0, sw1:6]]
traffic:
  - {from: client, to: vm-1-1, kind: ping, every: 100ms}
  - {from: client, to: vm-2-2, kind: tcp, rate: 200kbit/s}
  - {from: client, to: vm-3-11, kind: ping, every: 100ms}
  - {from: client, to: vm-3-20, kind: tcp, rate: 200kbit/s}
  - {from: desk, to: vm-3-15, kind: ping, every: 100ms}
)";

// Everything as it should be: guests, VLANs, a router, a service over a WAN, hosts that talk and rest.
constexpr std::string_view kHealthy = R"(
hosts:
  node:
    count: 2
    nics: {eth0: {ip: 10.0.0.1/24}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests: {vm: {count: 3, nics: {net0: {on: br0, ip: 10.0.0.11/24}}, gateway: 10.0.0.254}}
  desk: {nics: {eth0: 10.0.20.2/24}, gateway: 10.0.20.254}
  branch: {nics: {eth0: 10.0.20.3/24}, gateway: 10.0.20.254}
routers: {gw: {nics: {lan: 10.0.0.254/24, office: 10.0.20.254/24}}}
switches: {sw1: {}, sw2: {}, sw3: {}}
wans: {ether: {kind: e-lan, sites: {a: 100Mbit/s, b: 100Mbit/s}, delay: 4ms}}
links:
  - [node-1:eth0, sw1:1]
  - [node-2:eth0, sw1:2]
  - [gw:lan, sw1:24]
  - [gw:office, sw2:24]
  - [desk:eth0, sw2:1]
  - [sw2:2, ether:a]
  - [ether:b, sw3:2]
  - [branch:eth0, sw3:1]
traffic:
  - {from: desk, to: vm-1-1, kind: tcp, rate: 500kbit/s}
  - {from: branch, to: vm-2-3, kind: request, every: 200ms}
  - {from: branch, to: desk, kind: ping, every: 300ms}
  - {from: vm-1-2, to: vm-2-2, kind: tcp, rate: 300kbit/s}
  - {from: node-1, to: vm-1-3, kind: ping, every: 100ms}
  - {from: vm-2-1, to: vm-2-2, kind: ping, every: 200ms, start: 20s, stop: 25s}
)";

// Made at run time, as two differ in a word.
std::string migration(std::string_view kind, std::string_view how) {
  std::string text(kMigration);
  text.replace(text.find("HOW"), 3, how);
  text.replace(text.find("KIND"), 4, kind);
  return text;
}
const std::string kSilentMigration = migration("udp, every: 20ms, size: 100", "off");
const std::string kToldMigration = migration("ping, every: 50ms", "on");

const Scenario kScenarios[] = {
    {"hosted-server", 40, "hosted-server"},
    {"hosted-server-guard", 40, "hosted-server-guard"},
    {"hosted-server-router", 40, "hosted-server-router"},
    {"a leak, by pings", 40, {}, kLeakByPing},
    {"a leak that floods nothing yet", 30, {}, kLatentLeak},
    {"a leak to two guests", 40, {}, kTwoGuests},
    {"a leak seen on a trunk", 40, {}, kLeakOnATrunk},
    {"silent-syslog", 60, "silent-syslog"},
    {"a sink", 40, {}, kSink},
    {"a sink that is asked for", 70, {}, kSinkAskedFor},
    {"unknown unicast blocked", 30, {}, kBlocked},
    {"switched off while used", 40, {}, kSwitchedOff},
    {"arp-timers", 130, "arp-timers"},
    {"arp-timers-suppressed", 60, "arp-timers-suppressed"},
    {"two routers, answers elsewhere", 40, {}, kTwoRouters},
    {"ageing-zero", 10, "ageing-zero"},
    {"learning off", 15, {}, kLearningOff},
    {"learning off at one port", 15, {}, kLearningOffAtAPort},
    {"full-table", 20, "full-table"},
    {"a small table", 30, {}, kFullTable},
    {"guest-bridges-nics", 2, "guest-bridges-nics"},
    {"two cables", 2, {}, kTwoCables},
    {"cloned-guest", 20, "cloned-guest"},
    {"three clones", 15, {}, kThreeClones},
    {"twenty-guests", 15, "twenty-guests"},
    {"two owners of an IP address", 40, {}, kTwoOwners},
    {"migration, announced", 30, {}, kToldMigration},
    {"migration, not announced", 40, {}, kSilentMigration},
    {"timing-decides", 60, "timing-decides"},
    {"all well", 40, {}, kHealthy},
};

// Hours become seconds, and megabits kilobits.
void make_quick(model::Model& m) {
  for (model::Bridge& bridge : m.bridges) bridge.ageing = std::min(bridge.ageing, base::Duration(seconds(5)));
  for (model::Machine& machine : m.machines) {
    if (machine.arp.timeout <= seconds(14'400))
      machine.arp.timeout = std::min(machine.arp.timeout, base::Duration(seconds(30)));
  }
  for (model::Flow& flow : m.flows) {
    flow.rate = std::min(flow.rate, base::kbit(400));
    if (flow.start > seconds(5)) flow.start = seconds(5);
  }
  for (model::Change& change : m.changes) change.at = std::min(change.at, base::Time(seconds(5)));
}

}  // namespace

std::span<const Scenario> scenarios() { return kScenarios; }

model::Model model_of(const Scenario& scenario) {
  auto model =
      scenario.story.empty()
          ? importers::parse_site("sekimori: 1\n" + std::string(scenario.yaml), std::string(scenario.name))
          : importers::load_site("examples/" + std::string(scenario.story) + "/site.yaml");
  if (!model) {
    ADD_FAILURE() << model.error().text();
    return {};
  }
  if (!scenario.story.empty()) make_quick(*model);
  testing::plug_in_cards(*model);
  return *model;
}

}  // namespace sekimori::oracle

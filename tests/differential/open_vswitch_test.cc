// Open vSwitch with its NORMAL action, in its user-space datapath, against the simulator's `ovs`, and against
// the live switch's: random bridges, random frames, compared copy by copy with their tags. What Open vSwitch
// does stands in ofproto/ofproto-dpif-xlate.c and lib/mac-learning.c; docs/kernel-differences.md lists what
// this has found.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/random.h"
#include "lab/live_switch.h"
#include "model/builder.h"
#include "tests/differential/open_vswitch.h"
#include "tests/differential/simulated.h"
#include "tests/differential/test_bed.h"

namespace sekimori::differential {
namespace {

using base::Duration;
using base::Time;

// Every bridge has LOCAL and four ports; sites use LOCAL or not.
constexpr std::size_t kPorts = 4, kFrames = 32;
constexpr std::size_t kSites = 600, kAtOnce = 120;
constexpr std::uint16_t kVlans[] = {10, 20, 30};
constexpr Mac kReserved[] = {Mac{0x0180'c200'0000u}, Mac{0x0180'c200'000eu}, Mac{0x0100'0ccc'ccccu}};
constexpr Mac kMulticast{0x0100'5e01'0203u};

struct Copy {
  std::size_t port;
  std::uint16_t tag;
  friend auto operator<=>(const Copy&, const Copy&) = default;
};
using Copies = std::vector<Copy>;

struct Step {
  std::size_t port;
  Mac destination, source;
  std::uint16_t tag;
  Copies real, live;
  std::vector<Simulated::Copies> simulated;  // by port
};

// Port 0 is LOCAL, the bridge's own interface, when it has one that is used.
struct Site {
  std::uint64_t seed = 0;
  bool has_interface = false, has_vlans = false, overflows = false;
  Duration ageing{0};          // as it is set, within the bounds of Open vSwitch or not
  std::uint32_t table_size{};  // likewise
  model::Model model;
  std::vector<model::PortId> ports;
  std::vector<Mac> macs;
  std::vector<Step> steps;
  std::size_t decided = 0;  // steps that are compared
};

// ---------------------------------------------------------------- random bridges

void give_vlans(Site& site, model::Builder& builder, base::Random& random) {
  for (const model::PortId id : site.ports) {
    model::Port& port = builder.model()[id];
    const std::uint64_t kind = random.below(4);
    port.pvid = kVlans[random.below(std::size(kVlans))];
    if (kind < 2) continue;  // access
    model::VlanSet tagged;
    for (const std::uint16_t vlan : kVlans) tagged.set(vlan, random.below(2) == 0);
    tagged.set(kVlans[random.below(std::size(kVlans))]);
    if (kind == 2) {
      tagged.reset(port.pvid);  // trunk with a native VLAN
      tagged.set(40, tagged.none());
    } else {
      port.pvid = 0;  // trunk
    }
    port.tagged_vlans = builder.intern(tagged);
  }
}

void give_settings(Site& site, model::Builder& builder, model::BridgeId bridge, base::Random& random) {
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  constexpr std::int64_t kAgeings[] = {0, 5, 15, 20, 60, 60, 300, 4000};
  site.ageing = base::seconds(kAgeings[random.below(std::size(kAgeings))]);
  site.table_size = site.overflows ? static_cast<std::uint32_t>(8 + random.below(5)) : 0;
  if (site.has_vlans) give_vlans(site, builder, random);
  model::Bridge& settings = builder.model()[bridge];
  settings.ageing = site.ageing;
  settings.table_size = site.table_size;
  for (std::size_t p = 0; p < site.ports.size(); ++p) {
    builder.model()[site.ports[p]].isolated = one_in(4);
    if (!one_in(5)) continue;
    // One for each port at most: which of two of one port is evicted first is the order in which they came.
    const auto vlan = site.has_vlans ? kVlans[random.below(std::size(kVlans))] : std::uint16_t{1};
    settings.static_entries.push_back({vlan, site.macs[p], site.ports[p]});
  }
  if (!one_in(3)) return;
  for (std::uint64_t n = 1 + random.below(2); n > 0; --n) {
    model::FlowRule rule;
    if (!one_in(3)) rule.in = site.ports[random.below(site.ports.size())];
    if (!rule.in.valid() || one_in(2)) rule.destination = site.macs[random.below(site.macs.size())];
    for (const model::PortId port : site.ports) {
      if (one_in(3)) rule.out.push_back(port);
    }
    rule.normal = one_in(3);
    settings.flow_rules.push_back(std::move(rule));
  }
}

Site make_site(std::uint64_t seed) {
  base::Random random(seed);
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  Site site;
  site.seed = seed;
  site.has_interface = one_in(2);
  site.has_vlans = one_in(2);
  site.overflows = seed <= kAtOnce;  // the first round
  const std::size_t count = kPorts + site.has_interface;
  for (std::size_t m = 0; m < (site.overflows ? 18u : 8u); ++m)
    site.macs.push_back(Mac{0x0200'0000'0000u + m});

  model::Builder builder;
  const auto node = builder.add_machine("node", model::MachineKind::kHost).value();
  const auto bridge = builder.add_bridge("br", model::BridgeKind::kOvs, node).value();
  for (std::size_t m = 0; m < site.macs.size(); ++m) {
    const bool is_own = site.has_interface && m == 0;
    const auto machine =
        is_own ? node : builder.add_machine(fmt::format("h{}", m), model::MachineKind::kHost).value();
    const auto nic = builder.add_station(machine, "e", site.macs[m], model::MacOrigin::kDeclared).value();
    if (m >= count) continue;  // of nobody
    if (is_own) {
      site.ports.push_back(builder.attach(nic, bridge, model::PortRole::kHost).value());
      continue;
    }
    const auto port = builder.bridge_port(bridge, std::to_string(m));
    EXPECT_TRUE(builder.connect(builder.wire_port(nic), port, model::Link{}).has_value());
    site.ports.push_back(port);
  }
  give_settings(site, builder, bridge, random);
  for (std::size_t i = 0; i < kFrames; ++i) {
    // When the table is to overflow, most comes in at one port, so that one has most entries. Otherwise
    // frames come two by two, which are looked at in their order as they come in at one port.
    const bool is_second = !site.overflows && i % 2 == 1;
    const std::size_t port = is_second                      ? site.steps.back().port
                             : site.overflows && !one_in(3) ? count - 1
                                                            : random.below(count);
    Step step{
        port, site.macs[random.below(site.macs.size())], site.macs[random.below(site.macs.size())], 0, {}, {},
        {}};
    if (one_in(7)) step.destination = wire::kBroadcast;
    if (one_in(15)) step.destination = one_in(2) ? kMulticast : kReserved[random.below(std::size(kReserved))];
    if (site.has_vlans && one_in(2))
      step.tag = one_in(6) ? std::uint16_t{40} : kVlans[random.below(std::size(kVlans))];
    site.steps.push_back(std::move(step));
  }
  site.model = std::move(builder).finish();
  return site;
}

std::string text_of(const Copies& copies) {
  std::string text;
  for (const Copy& copy : copies) text += fmt::format(" {}/{}", copy.port, copy.tag);
  return text.empty() ? " -" : text;
}

std::string describe(const Site& site, std::size_t upto) {
  const model::Bridge& br = site.model.bridges[0];
  std::string text = fmt::format("seed {}: ageing {}, table {}, {}\n", site.seed, base::to_text(site.ageing),
                                 site.table_size, site.has_interface ? "port 0 is LOCAL" : "no interface");
  const auto number = [&](model::PortId port) {
    return std::ranges::find(site.ports, port) - site.ports.begin();
  };
  for (std::size_t p = 0; p < site.ports.size(); ++p) {
    const model::Port& port = site.model[site.ports[p]];
    text += fmt::format("  port {}: untagged {}, tagged", p, port.pvid);
    for (const std::size_t vlan : {10u, 20u, 30u, 40u})
      text += site.model.vlan_sets[port.tagged_vlans].test(vlan) ? fmt::format(" {}", vlan) : "";
    text += port.isolated ? ", protected\n" : "\n";
  }
  for (const auto& entry : br.static_entries)
    text += fmt::format("  static {} in {} at port {}\n", wire::to_text(entry.mac), entry.vlan,
                        number(entry.port));
  for (const model::FlowRule& rule : br.flow_rules) {
    text += fmt::format("  flow: in {} to {}:", rule.in.valid() ? std::to_string(number(rule.in)) : "any",
                        wire::to_text(rule.destination));
    for (const model::PortId out : rule.out) text += fmt::format(" {}", number(out));
    text += rule.normal ? " and normal\n" : "\n";
  }
  for (std::size_t i = 0; i <= upto; ++i) {
    const Step& s = site.steps[i];
    text += fmt::format("  in {} {} -> {} tag {}: real{} live{} simulator", s.port, wire::to_text(s.source),
                        wire::to_text(s.destination), s.tag, text_of(s.real), text_of(s.live));
    for (const auto& port : s.simulated) text += fmt::format(" {}({})", port.frames, port.tagged);
    text += "\n";
  }
  return text;
}

// ---------------------------------------------------------------- playing

// The bridges, which are built once; each round gives them new settings and plays other sites.
class Bridges {
 public:
  explicit Bridges(TestBed bed) : bed_(std::move(bed)) {}

  void build(std::size_t count) {
    ovs_.start(bed_.switches(), OpenVSwitch::Cache::kOff);
    if (::testing::Test::HasFatalFailure()) return;
    for (std::size_t b = 0; b < count; ++b) {
      say({"add-br", bridge(b), "--", "set", "Bridge", bridge(b), "datapath_type=netdev"});
      for (std::size_t k = 1; k <= kPorts; ++k) plug_in(b, k);
    }
    say({"add-br", "closing", "--", "set", "Bridge", "closing", "datapath_type=netdev"});
    for (const char* port : {"s0", "s1"}) {
      const auto far = bed_.add_port(port);
      ASSERT_TRUE(far.has_value()) << far.error().what;
      sentinel_.push_back(*far);
      say({"add-port", "closing", port});
    }
    ovs_.configure(std::exchange(words_, {}));
    for (std::size_t b = 0; b < count; ++b) {
      const auto up = bed_.links().set_up(bridge(b), true);
      ASSERT_TRUE(up.has_value()) << up.error().what;
      note_device(b, 0, bed_.links().index(bridge(b)).value(), true);
    }
    ASSERT_TRUE(bed_.wait_for_ports());
    ovs_.command({{"time/stop"}});
  }

  std::vector<Site> play(std::vector<Site> sites) {
    clear();
    sites_ = std::move(sites);
    for (std::size_t b = 0; b < sites_.size(); ++b) {
      configure(b);
      simulated_.push_back(std::make_unique<Simulated>(sites_[b].model, model::BridgeId(0u)));
      live_.push_back(std::make_unique<lab::LiveSwitch>(sites_[b].model, model::BridgeId(0u)));
    }
    ovs_.configure(std::exchange(words_, {}));
    std::vector<std::vector<std::string>> entries;
    for (std::size_t b = 0; b < sites_.size(); ++b) fill(b, entries);
    ovs_.command(entries);
    base::Random random(sites_[0].seed);
    settle();
    const std::size_t burst = sites_[0].overflows ? 1 : 2;
    for (std::size_t i = 0; i < kFrames && !::testing::Test::HasFatalFailure(); i += burst) {
      const auto pause = 1 + random.below(random.below(6) == 0 ? 80 : 4);
      ovs_.command({{"time/warp", std::to_string(1000 * pause)}});
      now_ += base::seconds(static_cast<std::int64_t>(pause));
      settle();  // entries that are old are gone now
      for (std::size_t b = 0; b < sites_.size(); ++b) {
        for (std::size_t n = 0; n < burst; ++n) play_step(b, i + n);
      }
      settle();
    }
    return sites_;
  }
  std::size_t evictions() const { return evictions_; }

 private:
  static constexpr TestBed::Number kClosing = 0x4000'0000u;

  // LOCAL, which is number 0, has the bridge's name.
  static std::string bridge(std::size_t b) { return fmt::format("b{}", b); }
  static std::string device(std::size_t b, std::size_t k) {
    return k == 0 ? bridge(b) : fmt::format("b{}p{}", b, k);
  }
  // Of a site's port, and back.
  static std::size_t number(const Site& site, std::size_t port) { return port + !site.has_interface; }
  static std::size_t number(const Site& site, model::PortId port) {
    return number(site, static_cast<std::size_t>(std::ranges::find(site.ports, port) - site.ports.begin()));
  }

  void say(const std::vector<std::string>& words) {
    words_.push_back("--");
    words_.insert(words_.end(), words.begin(), words.end());
  }
  void note_device(std::size_t b, std::size_t k, int device, bool among_switches) {
    devices_.resize(std::max(devices_.size(), (b + 1) * (kPorts + 1)));
    devices_[b * (kPorts + 1) + k] = device;
    where_[{device, among_switches}] = {b, k};
  }
  void plug_in(std::size_t b, std::size_t k) {
    const auto far = bed_.add_port(device(b, k));
    ASSERT_TRUE(far.has_value()) << far.error().what;
    note_device(b, k, *far, false);
    say({"add-port", bridge(b), device(b, k)});
    say({"set", "Interface", device(b, k), fmt::format("ofport_request={}", k)});
  }

  // What the last round has left.
  void clear() {
    std::vector<std::vector<std::string>> commands;
    for (std::size_t b = 0; b < sites_.size(); ++b) {
      const Site& site = sites_[b];
      for (const auto& entry : site.model.bridges[0].static_entries) {
        const std::string vlan = std::to_string(site.has_vlans ? entry.vlan : 0);
        commands.push_back({"fdb/del", bridge(b), vlan, wire::to_text(entry.mac)});
      }
      commands.push_back({"fdb/flush", bridge(b)});
      if (!site.model.bridges[0].flow_rules.empty()) ovs_.replace_flows(bridge(b), "actions=NORMAL\n");
    }
    ovs_.command(commands, true);  // an entry may have been evicted
    simulated_.clear();
    live_.clear();
    now_ = Time{0};
  }

  void configure(std::size_t b) {
    const Site& site = sites_[b];
    say({"set", "Bridge", bridge(b),
         fmt::format("other_config:mac-aging-time={}", site.ageing / base::seconds(1)),
         fmt::format("other_config:mac-table-size={}", site.table_size)});
    for (std::size_t k = 0; k <= kPorts; ++k)
      say({"clear", "Port", device(b, k), "tag", "trunks", "vlan_mode"});
    for (std::size_t p = 0; p < site.ports.size(); ++p) {
      const model::Port& port = site.model[site.ports[p]];
      std::vector<std::string> words = {"set", "Port", device(b, number(site, p)),
                                        port.isolated ? "protected=true" : "protected=false"};
      if (site.has_vlans) add_vlans(words, site.model, port);
      say(words);
    }
  }

  static void add_vlans(std::vector<std::string>& words, const model::Model& model, const model::Port& port) {
    std::string trunks;
    for (std::size_t vlan = 1; vlan < 4095; ++vlan) {
      if (model.vlan_sets[port.tagged_vlans].test(vlan))
        trunks += (trunks.empty() ? "" : ",") + std::to_string(vlan);
    }
    if (port.pvid != 0) words.push_back(fmt::format("tag={}", port.pvid));
    if (!trunks.empty()) {
      words.push_back("trunks=" + trunks);
      words.push_back(port.pvid != 0 ? "vlan_mode=native-untagged" : "vlan_mode=trunk");
    }
  }

  // Flows, and what enters the static entries.
  void fill(std::size_t b, std::vector<std::vector<std::string>>& entries) {
    const Site& site = sites_[b];
    const model::Bridge& br = site.model.bridges[0];
    for (const auto& entry : br.static_entries) {
      entries.push_back({"fdb/add", bridge(b), device(b, number(site, entry.port)),
                         std::to_string(site.has_vlans ? entry.vlan : 0), wire::to_text(entry.mac)});
    }
    if (br.flow_rules.empty()) return;
    const auto of_port = [&](model::PortId port) {
      const std::size_t k = number(site, port);
      return k == 0 ? std::string("LOCAL") : std::to_string(k);
    };
    std::string flows = "priority=0,actions=NORMAL\n";
    int priority = 100;
    for (const model::FlowRule& rule : br.flow_rules) {
      flows += fmt::format("priority={}", priority--);
      if (rule.in.valid()) flows += ",in_port=" + of_port(rule.in);
      if (!rule.destination.is_zero()) flows += ",dl_dst=" + wire::to_text(rule.destination);
      std::string actions;
      for (const model::PortId out : rule.out)
        actions += (actions.empty() ? "output:" : ",output:") + of_port(out);
      if (rule.normal) actions += actions.empty() ? "NORMAL" : ",NORMAL";
      flows += ",actions=" + (actions.empty() ? "drop" : actions) + "\n";
    }
    ovs_.replace_flows(bridge(b), flows);
  }

  // A new address comes to a full table in which several ports have the most entries: which of them loses one
  // is the business of a heap's inner order.
  bool is_undecided(std::size_t b, const Step& step) {
    const Site& site = sites_[b];
    if (!site.overflows) return false;
    const auto table = live_[b]->table(now_);
    if (table.size() < site.model.bridges[0].table_size) return false;
    std::map<std::uint32_t, std::size_t> counts;
    for (const auto& entry : table) ++counts[entry.port.value];
    std::size_t most = 0, with_most = 0;
    for (const auto& [port, count] : counts) most = std::max(most, count);
    for (const auto& [port, count] : counts) with_most += count == most;
    const bool is_known =
        !site.has_vlans && std::ranges::any_of(table, [&](const auto& e) { return e.mac == step.source; });
    evictions_ += with_most == 1 && !is_known;
    return with_most > 1 && !is_known;
  }

  void play_step(std::size_t b, std::size_t i) {
    Site& site = sites_[b];
    Step& step = site.steps[i];
    if (site.decided < i || is_undecided(b, step)) return;
    ++site.decided;
    const std::size_t k = number(site, step.port);
    const int device = devices_[b * (kPorts + 1) + k];
    const auto id = static_cast<TestBed::Number>(b << 16 | i);
    if (k == 0) {
      bed_.send_from_interface(device, step.destination, step.source, id, step.tag);
    } else {
      bed_.send(device, step.destination, step.source, id, step.tag);
    }
    const model::PortId in = site.ports[step.port];
    if (!std::ranges::count(kReserved, step.destination))  // the simulator has no such frames
      step.simulated = simulated_[b]->relay(in, {step.destination, step.source, step.tag}, now_);
    for (const auto& copy :
         live_[b]->relay(in, {step.destination, step.source, step.tag, TestBed::kFrameBytes}, now_)) {
      step.live.push_back(
          {static_cast<std::size_t>(std::ranges::find(site.ports, copy.port) - site.ports.begin()),
           copy.tag});
    }
    std::ranges::sort(step.live);
  }

  // All that was sent is through. The switch's main loop looks at each port once in a round, and then at the
  // ages of entries. So a frame that is sent when another has come back belongs to a later round, and
  // everything of the earlier one is done when it comes back itself.
  void settle() {
    for (int round = 0; round < 2; ++round) {
      bool heard = false;
      bed_.send(sentinel_[0], wire::kBroadcast, Mac{0x0e5d'0000'0000u}, kClosing);
      ASSERT_TRUE(bed_.listen([&](const TestBed::Heard& copy) { note(copy, heard); }, [&] { return heard; }));
    }
  }
  void note(const TestBed::Heard& copy, bool& heard) {
    heard |= copy.device == sentinel_[1] && !copy.among_switches;
    const auto found = where_.find({copy.device, copy.among_switches});
    if ((copy.number & kClosing) != 0 || found == where_.end()) return;
    const auto [b, k] = found->second;
    ASSERT_EQ(b, copy.number >> 16) << "a frame got to another bridge";
    Site& site = sites_[b];
    if (k == 0 && !site.has_interface) return;  // an interface that the site does not use
    Copies& copies = site.steps[copy.number & 0xffff].real;
    const Copy heard_here{k - !site.has_interface, copy.tag};
    copies.insert(std::ranges::upper_bound(copies, heard_here), heard_here);
  }

  TestBed bed_;
  OpenVSwitch ovs_;
  std::vector<Site> sites_;
  std::vector<std::string> words_;
  std::vector<int> devices_, sentinel_;  // devices: by bridge and number
  std::map<std::pair<int, bool>, std::pair<std::size_t, std::size_t>> where_;
  std::vector<std::unique_ptr<Simulated>> simulated_;
  std::vector<std::unique_ptr<lab::LiveSwitch>> live_;
  Time now_{0};
  std::size_t evictions_ = 0;
};

bool agree(const Step& step) {
  if (step.real != step.live) return false;
  for (std::size_t p = 0; p < step.simulated.size(); ++p) {
    const auto copies = std::ranges::count_if(step.real, [&](const Copy& c) { return c.port == p; });
    const auto tagged =
        std::ranges::count_if(step.real, [&](const Copy& c) { return c.port == p && c.tag != 0; });
    if (step.simulated[p].frames != copies || step.simulated[p].tagged != tagged) return false;
  }
  return true;
}

TEST(OpenVSwitch, SimulatorAndLiveSwitchDoWhatItDoes) {
  std::size_t frames = 0, copies = 0;
  auto bed = TestBed::make();
  ASSERT_TRUE(bed.has_value()) << bed.error().what;
  Bridges bridges(std::move(*bed));
  bridges.build(kAtOnce);
  for (std::uint64_t first = 1; first <= kSites && !HasFatalFailure(); first += kAtOnce) {
    std::vector<Site> sites;
    for (std::uint64_t seed = first; seed < first + kAtOnce; ++seed) sites.push_back(make_site(seed));
    for (const Site& site : bridges.play(std::move(sites))) {
      for (std::size_t i = 0; i < site.decided; ++i) {
        ++frames;
        copies += site.steps[i].real.size();
        if (agree(site.steps[i])) continue;
        ADD_FAILURE() << describe(site, i);
        break;
      }
    }
  }
  EXPECT_GT(frames, kSites * kFrames * 3 / 4);
  EXPECT_GT(copies, frames / 2);  // something did happen
  EXPECT_GT(bridges.evictions(), 200u);
  std::printf("%zu bridges, %zu frames, %zu copies, %zu evictions\n", kSites, frames, copies,
              bridges.evictions());
}

}  // namespace
}  // namespace sekimori::differential

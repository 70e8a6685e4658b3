// The Linux bridge of this kernel against the simulator's, and against the live switch's: random small
// bridges, random frames, compared copy by copy. What the kernel does stands in net/bridge/;
// docs/kernel-differences.md lists what these tests have found.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/random.h"
#include "lab/live_switch.h"
#include "model/builder.h"
#include "switching/link_local.h"
#include "tests/differential/simulated.h"
#include "tests/differential/test_bed.h"

namespace sekimori::differential {
namespace {

using base::Duration;
using base::Time;
using Clock = std::chrono::steady_clock;

constexpr Duration kAgeing = base::seconds(1);
// The kernel removes an entry within 10 ms of its end, when its worker is not kept waiting.
constexpr Duration kBefore = base::milliseconds(30), kAfter = base::milliseconds(250);
// Of VRRP: the simulator has advertisements.
constexpr Mac kSomeGroup{0x0100'5e00'0012u};
constexpr std::size_t kMostPorts = 5, kMacs = 7;
constexpr std::size_t kFramesPerPhase = 14;

struct Step {
  std::size_t port;  // that the frame comes in at
  Mac destination, source;
  Time at{0};
  std::uint32_t kernel = 0, simulator = 0, live = 0;  // ports with a copy, by bit
  bool twice = false;                                 // the kernel delivered two copies at one port
};

// One bridge as all three have it. Port 0 is the bridge's own interface when it has one that is used.
struct Site {
  std::uint64_t seed = 0;
  // Every third frame is for 01-80-C2-00-00-0x. The simulator knows no such frames but BPDUs, so it is left
  // out.
  bool with_link_local = false;
  bool has_interface = false;
  model::Model model;
  std::vector<model::PortId> ports;
  std::vector<Mac> macs;
  std::vector<Step> steps;
  bool undecided = false;  // a frame came in while an entry was about to age out
  std::map<Mac, Time> heard;
};

// ---------------------------------------------------------------- random bridges

void add_link_local(base::Random& random, Site& site, model::Model& model, model::BridgeId bridge) {
  const auto mask = [&](unsigned refused) {
    return random.below(2) == 0 ? std::uint16_t{0}
                                : static_cast<std::uint16_t>(random.below(0x10000) & ~std::uint64_t{refused});
  };
  model[bridge].group_forward_mask = mask(model::kBridgeMayNotForward);
  for (std::size_t p = site.has_interface; p < site.ports.size(); ++p)
    model[site.ports[p]].group_forward_mask = mask(model::kPortMayNotForward | 1u);
  for (Step& step : site.steps) {
    if (random.below(3) == 0) step.destination = Mac{0x0180'c200'0000u + random.below(16)};
  }
}

Site make_site(std::uint64_t seed, bool with_link_local) {
  base::Random random(seed);
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  Site site;
  site.seed = seed;
  site.with_link_local = with_link_local;
  site.has_interface = one_in(2);
  const std::size_t count = 2 + random.below(kMostPorts - 1);
  for (std::size_t m = 0; m < kMacs; ++m) site.macs.push_back(Mac{0x0200'0000'0000u + m});

  model::Builder builder;
  const auto node = builder.add_machine("node", model::MachineKind::kHost).value();
  const auto bridge = builder.add_bridge("br", model::BridgeKind::kLinuxBridge, node).value();
  if (site.has_interface) {
    const auto own = builder.add_station(node, "br", site.macs[0], model::MacOrigin::kDeclared).value();
    site.ports.push_back(builder.attach(own, bridge, model::PortRole::kHost).value());
  }
  for (std::size_t p = site.ports.size(); p < count; ++p) {
    const auto machine = builder.add_machine(fmt::format("h{}", p), model::MachineKind::kHost).value();
    const auto nic = builder.add_station(machine, "e", site.macs[p], model::MacOrigin::kDeclared).value();
    const auto port = builder.bridge_port(bridge, std::to_string(p));
    EXPECT_TRUE(builder.connect(builder.wire_port(nic), port, model::Link{}).has_value());
    site.ports.push_back(port);
  }
  model::Model& model = builder.model();
  // Whoever has no station: names for the addresses that frames come from.
  for (std::size_t m = count; m < kMacs; ++m) {
    const auto machine = builder.add_machine(fmt::format("x{}", m), model::MachineKind::kHost).value();
    EXPECT_TRUE(builder.add_station(machine, "e", site.macs[m], model::MacOrigin::kDeclared).has_value());
  }
  model::Bridge& br = model[bridge];
  const Duration ageings[] = {Duration{0}, kAgeing, kAgeing, kAgeing, base::seconds(300)};
  br.ageing = ageings[random.below(std::size(ageings))];
  br.learning = !one_in(8);
  br.table_size = one_in(5) ? static_cast<std::uint32_t>(1 + random.below(4)) : 0;
  for (std::size_t p = site.has_interface; p < count; ++p) {
    model::Port& port = model[site.ports[p]];
    port.learning = !one_in(5);
    port.floods_unknown = !one_in(5);
    port.isolated = one_in(4);
    port.hairpin = one_in(6);
    port.floods_broadcast = !one_in(5);
    port.floods_multicast = !one_in(5);
    port.locked = one_in(8);
  }
  for (std::size_t n = random.below(3); n > 0; --n) {
    // Not of the interface's own address: the kernel has an entry for that itself, and takes no other.
    const std::size_t m = site.has_interface + random.below(kMacs - site.has_interface);
    const std::size_t p = site.has_interface + random.below(count - site.has_interface);
    const bool is_new =
        std::ranges::none_of(br.static_entries, [&](const auto& e) { return e.mac == site.macs[m]; });
    if (is_new) br.static_entries.push_back({0, site.macs[m], site.ports[p]});
  }
  for (std::size_t i = 0; i < 3 * kFramesPerPhase; ++i) {
    Step step{.port = random.below(count), .destination = site.macs[random.below(kMacs)], .source = {}};
    if (one_in(7)) step.destination = one_in(2) ? wire::kBroadcast : kSomeGroup;
    // The interface sends with its own address; others may send with anybody's.
    step.source = site.has_interface && step.port == 0 ? site.macs[0] : site.macs[random.below(kMacs)];
    site.steps.push_back(step);
  }
  if (with_link_local) add_link_local(random, site, model, bridge);
  site.model = std::move(builder).finish();
  return site;
}

std::string describe(const Site& site, std::size_t upto) {
  const model::Bridge& br = site.model.bridges[0];
  std::string text =
      fmt::format("seed {}: ageing {}{}, table {}, {}\n", site.seed, base::to_text(br.ageing),
                  br.learning ? "" : ", no learning", br.table_size,
                  site.has_interface ? "port 0 is the bridge's own interface" : "no interface");
  if (site.with_link_local) text += fmt::format("  group-fwd-mask {:#06x}\n", br.group_forward_mask);
  for (std::size_t p = 0; p < site.ports.size(); ++p) {
    const model::Port& port = site.model[site.ports[p]];
    text += fmt::format("  port {}: mask {:#06x}{}{}{}{}{}{}{}\n", p, port.group_forward_mask,
                        port.hairpin ? " hairpin" : "", port.learning ? "" : " learning off",
                        port.floods_unknown ? "" : " flood off",
                        port.floods_broadcast ? "" : " broadcast-flood off",
                        port.floods_multicast ? "" : " multicast-flood off", port.locked ? " locked" : "",
                        port.isolated ? " isolated" : "");
  }
  for (const auto& entry : br.static_entries) {
    const auto at = std::ranges::find(site.ports, entry.port) - site.ports.begin();
    text += fmt::format("  static {} at port {}\n", wire::to_text(entry.mac), at);
  }
  for (std::size_t i = 0; i <= upto; ++i) {
    const Step& s = site.steps[i];
    text += fmt::format("  {:7.3f} s in {} {} -> {}: kernel {:06b} simulator {:06b} live {:06b}{}\n",
                        base::to_seconds(s.at), s.port, wire::to_text(s.source), wire::to_text(s.destination),
                        s.kernel, s.simulator, s.live, s.twice ? " TWICE" : "");
  }
  return text;
}

// ---------------------------------------------------------------- the three of them

std::uint32_t relay(Simulated& simulated, const Site& site, const Step& step) {
  const auto all = simulated.relay(site.ports[step.port], {step.destination, step.source}, step.at);
  std::uint32_t copies = 0;
  for (std::size_t p = 0; p < all.size(); ++p) copies |= (all[p].frames != 0 ? 1u : 0u) << p;
  return copies;
}

std::uint32_t relay(lab::LiveSwitch& live, const Site& site, const Step& step) {
  std::uint32_t copies = 0;
  for (const auto& copy :
       live.relay(site.ports[step.port], {step.destination, step.source, 0, TestBed::kFrameBytes}, step.at)) {
    copies |= 1u << (std::ranges::find(site.ports, copy.port) - site.ports.begin());
  }
  return copies;
}

// The kernel's bridges, one for each site.
class KernelBridges {
 public:
  explicit KernelBridges(TestBed& bed) : bed_(bed) {}

  void add(const Site& site) {
    const std::size_t b = interfaces_.size();
    sys::Links& links = bed_.links();
    const model::Bridge& br = site.model.bridges[0];
    sys::BridgeSettings settings;
    settings.mac = site.has_interface ? site.macs[0] : Mac{0x0e5f'0000'0000u + b};
    settings.ageing = br.ageing;
    settings.most_learnt = br.table_size;
    settings.group_forward_mask = br.group_forward_mask;
    const std::string name = fmt::format("b{}", b);
    must(links.add_bridge(name, settings));
    must(links.set_up(name, true));
    interfaces_.push_back(links.index(name).value());
    where_[{interfaces_[b], true}] = {b, 0};
    far_ends_.resize((b + 1) * kMostPorts);
    for (std::size_t p = site.has_interface; p < site.ports.size(); ++p) {
      const auto far = bed_.add_port(port_name(b, p));
      ASSERT_TRUE(far.has_value()) << far.error().what;
      far_ends_[b * kMostPorts + p] = *far;
      where_[{*far, false}] = {b, p};
      const model::Port& port = site.model[site.ports[p]];
      must(links.enslave(port_name(b, p), name));
      sys::BridgePortSettings flags;
      flags.learning = br.learning && port.learning;
      flags.floods_unknown = port.floods_unknown;
      flags.isolated = port.isolated;
      flags.hairpin = port.hairpin;
      flags.floods_broadcast = port.floods_broadcast;
      flags.floods_multicast = port.floods_multicast;
      flags.locked = port.locked;
      flags.group_forward_mask = port.group_forward_mask;
      must(links.set_port(port_name(b, p), flags));
    }
    for (const auto& entry : br.static_entries) {
      const auto p = static_cast<std::size_t>(std::ranges::find(site.ports, entry.port) - site.ports.begin());
      if (p >= site.has_interface) must(links.add_fdb_entry(port_name(b, p), entry.mac, true));
    }
  }

  void send(std::size_t b, const Site& site, const Step& step, TestBed::Number number) {
    if (site.has_interface && step.port == 0) {
      bed_.send_from_interface(interfaces_[b], step.destination, step.source, number);
    } else {
      bed_.send(far_ends_[b * kMostPorts + step.port], step.destination, step.source, number);
    }
  }

  // The port whose copy was heard there; none when that says nothing.
  std::optional<std::pair<std::size_t, std::size_t>> port_at(int device, bool among_switches) const {
    const auto found = where_.find({device, among_switches});
    return found == where_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  static std::string port_name(std::size_t b, std::size_t p) { return fmt::format("b{}p{}", b, p); }
  static void must(const base::Result<void>& done) { ASSERT_TRUE(done.has_value()) << done.error().what; }

  TestBed& bed_;
  std::vector<int> far_ends_, interfaces_;
  std::map<std::pair<int, bool>, std::pair<std::size_t, std::size_t>> where_;
};

// ---------------------------------------------------------------- playing

class Batch {
 public:
  Batch(TestBed bed, std::vector<Site> sites)
      : bed_(std::move(bed)), bridges_(bed_), sites_(std::move(sites)) {
    for (const Site& site : sites_) {
      bridges_.add(site);
      simulated_.push_back(std::make_unique<Simulated>(site.model, model::BridgeId(0u)));
      live_.push_back(std::make_unique<lab::LiveSwitch>(site.model, model::BridgeId(0u)));
    }
  }

  // Three phases: entries are fresh in the first and, for the most part, in the second; then those with a
  // short ageing time are gone.
  std::vector<Site> play() {
    EXPECT_TRUE(bed_.wait_for_ports());
    const Clock::time_point start = Clock::now();
    for (const auto pause :
         {std::chrono::milliseconds(0), std::chrono::milliseconds(300), std::chrono::milliseconds(1400)}) {
      std::this_thread::sleep_for(pause);
      for (std::size_t i = 0; i < kFramesPerPhase; ++i) play_step(phase_ * kFramesPerPhase + i, start);
      ++phase_;
    }
    return std::move(sites_);
  }

 private:
  // Frames of one step under way at a time: each makes at most five copies, and the kernel's backlog holds
  // 1000.
  static constexpr std::size_t kUnderWay = 60;

  void play_step(std::size_t i, Clock::time_point start) {
    for (std::size_t b = 0; b < sites_.size(); ++b) {
      Site& site = sites_[b];
      Step& step = site.steps[i];
      step.at = std::chrono::duration_cast<Time>(Clock::now() - start);
      bridges_.send(b, site, step, static_cast<TestBed::Number>(b << 16 | i));
      notice_edges(site, step);
      if (!site.with_link_local) step.simulator = relay(*simulated_[b], site, step);
      step.live = relay(*live_[b], site, step);
      if (b % kUnderWay == kUnderWay - 1) collect();
    }
    collect();
  }

  // Entries within a moment of their end are there or not.
  static void notice_edges(Site& site, const Step& step) {
    const Duration ageing = site.model.bridges[0].ageing;
    if (ageing != kAgeing) return;
    for (const auto& [mac, at] : site.heard) {
      const Duration age = step.at - at;
      const bool matters =
          mac == step.destination || mac == step.source || site.model.bridges[0].table_size != 0;
      site.undecided |= matters && age > ageing - kBefore && age < ageing + kAfter;
    }
    site.heard[step.source] = step.at;
  }

  void collect() {
    ASSERT_TRUE(bed_.settle([&](const TestBed::Heard& heard) {
      const auto at = bridges_.port_at(heard.device, heard.among_switches);
      if (!at) return;  // the frame as it came in
      const std::size_t b = heard.number >> 16;
      Step& step = sites_[b].steps[heard.number & 0xffff];
      ASSERT_EQ(at->first, b) << "a frame got to another bridge";
      if (heard.among_switches && !sites_[b].has_interface)
        return;  // an interface that the site does not use
      step.twice |= (step.kernel >> at->second & 1) != 0;
      step.kernel |= 1u << at->second;
    }));
  }

  TestBed bed_;
  KernelBridges bridges_;
  std::vector<Site> sites_;
  std::vector<std::unique_ptr<Simulated>> simulated_;
  std::vector<std::unique_ptr<lab::LiveSwitch>> live_;
  std::size_t phase_ = 0;
};

void play_all(bool with_link_local) {
  constexpr std::size_t kSites = 600, kAtOnce = 150;
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t s = 1; s <= kSites; ++s) seeds.push_back(s);
  std::size_t decided = 0, copies = 0, frames = 0, rounds = 0;
  while (!seeds.empty() && ++rounds <= 3 * kSites / kAtOnce) {
    std::vector<Site> sites;
    for (; !seeds.empty() && sites.size() < kAtOnce; seeds.pop_back())
      sites.push_back(make_site(seeds.back(), with_link_local));
    auto bed = TestBed::make();
    ASSERT_TRUE(bed.has_value()) << bed.error().what;
    Batch batch(std::move(*bed), std::move(sites));
    if (testing::Test::HasFatalFailure()) return;
    for (const Site& site : batch.play()) {
      if (site.undecided) {  // the machine was too slow: again
        seeds.push_back(site.seed);
        continue;
      }
      ++decided;
      for (std::size_t i = 0; i < site.steps.size(); ++i) {
        const Step& step = site.steps[i];
        ++frames;
        copies += static_cast<std::size_t>(std::popcount(step.kernel));
        const bool agrees = with_link_local || step.kernel == step.simulator;
        if (agrees && step.kernel == step.live && !step.twice) continue;
        ADD_FAILURE() << describe(site, i);
        break;
      }
    }
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_EQ(decided, kSites) << seeds.size() << " sites were never decided";
  EXPECT_GT(copies, frames / 2);  // something did happen
  std::printf("%zu bridges, %zu frames, %zu copies\n", decided, frames, copies);
}

TEST(LinuxBridge, SimulatorAndLiveSwitchDoWhatTheKernelDoes) { play_all(false); }

TEST(LinuxBridge, LiveSwitchDoesWhatTheKernelDoesWithFramesForBridges) { play_all(true); }

}  // namespace
}  // namespace sekimori::differential

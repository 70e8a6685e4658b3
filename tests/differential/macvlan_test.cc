// Real macvlan devices against the simulator's macvlan, and against the live switch's: random sites, random
// frames, compared copy by copy. What the kernel does stands in drivers/net/macvlan.c;
// docs/kernel-differences.md lists what this has found.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <memory>

#include "base/random.h"
#include "lab/live_switch.h"
#include "model/builder.h"
#include "tests/differential/simulated.h"
#include "tests/differential/test_bed.h"

namespace sekimori::differential {
namespace {

constexpr std::size_t kMostGuests = 4, kMacs = 8, kFrames = 40;
// Ports by number, as bits of a mask: the wire, the host's own stack, then the guests.
constexpr std::size_t kWire = 0, kHost = 1, kFirstGuest = 2, kMostPorts = kFirstGuest + kMostGuests;
constexpr Mac kLinkLocal{0x0180'c200'0000u}, kMulticast{0x0100'5e01'0203u};
constexpr sys::MacvlanMode kModes[] = {sys::MacvlanMode::kBridge, sys::MacvlanMode::kVepa,
                                       sys::MacvlanMode::kPrivate, sys::MacvlanMode::kPassthru};

struct Step {
  std::size_t port;  // that the frame comes in at
  Mac destination, source;
  std::uint16_t tag;
  std::uint32_t kernel = 0, simulator = 0, live = 0;  // ports with a copy, by bit
  bool wrong = false;                                 // two copies at one port, or another tag
};

struct Site {
  std::uint64_t seed = 0;
  model::MacvlanMode mode{};
  bool reflects = false;  // what leaves on the wire comes back, as from a switch in VEPA mode
  model::Model model;
  model::BridgeId bridge;
  std::vector<model::PortId> ports;
  std::vector<Mac> macs;  // by port, and some of nobody's; the wire's is a station there
  std::vector<Step> steps;
};

// ---------------------------------------------------------------- random sites

void make_model(Site& site, std::size_t guests) {
  model::Builder builder;
  const auto add = [&](model::MachineId machine, std::size_t mac) {
    return builder.add_station(machine, "e", site.macs[mac], model::MacOrigin::kDeclared).value();
  };
  const auto node = builder.add_machine("node", model::MachineKind::kHost).value();
  site.bridge = builder.add_bridge("v", model::BridgeKind::kMacvlan, node).value();
  const auto nic = add(node, kHost);
  builder.model()[nic].ip = {{0x0a00'0001}, 24};
  site.ports.push_back(builder.enslave(nic, site.bridge).value());
  site.ports.push_back(builder.model()[site.bridge].ports.back());
  const auto outside = builder.add_machine("outside", model::MachineKind::kHost).value();
  EXPECT_TRUE(builder.connect(builder.wire_port(add(outside, kWire)), site.ports[kWire], model::Link{}));
  for (std::size_t g = 0; g < guests; ++g) {
    const auto guest = builder.add_machine(fmt::format("g{}", g), model::MachineKind::kGuest, node).value();
    site.ports.push_back(
        builder.attach(add(guest, kFirstGuest + g), site.bridge, model::PortRole::kGuest).value());
  }
  // Names for the addresses of nobody.
  for (std::size_t m = site.ports.size(); m < kMacs; ++m)
    add(builder.add_machine(fmt::format("x{}", m), model::MachineKind::kHost).value(), m);
  builder.model()[site.bridge].macvlan_mode = site.mode;
  site.model = std::move(builder).finish();
}

Site make_site(std::uint64_t seed) {
  base::Random random(seed);
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  Site site;
  site.seed = seed;
  site.mode = static_cast<model::MacvlanMode>(seed % 4);
  site.reflects = one_in(2);
  for (std::size_t m = 0; m < kMacs; ++m) site.macs.push_back(Mac{0x0200'0000'0000u + seed * kMacs + m});
  make_model(site, site.mode == model::MacvlanMode::kPassthru ? 1 : 1 + random.below(kMostGuests));
  for (std::size_t i = 0; i < kFrames; ++i) {
    Step step{.port = random.below(site.ports.size()),
              .destination = site.macs[random.below(kMacs)],
              .source = {},
              .tag = 0};
    if (one_in(4)) step.destination = wire::kBroadcast;
    if (one_in(12)) step.destination = one_in(2) ? kMulticast : kLinkLocal;
    // From outside anything may come, also what was sent from here. Here, most send with their own address.
    const bool forged = step.port == kWire || one_in(6);
    step.source = site.macs[forged ? random.below(kMacs) : step.port];
    if (one_in(8)) step.tag = static_cast<std::uint16_t>(1 + random.below(4094));
    site.steps.push_back(step);
  }
  return site;
}

std::string describe(const Site& site, std::size_t upto) {
  constexpr const char* kNames[] = {"bridge", "vepa", "private", "passthru"};
  std::string text =
      fmt::format("seed {}: {}, {} guests{}\n", site.seed, kNames[static_cast<std::size_t>(site.mode)],
                  site.ports.size() - kFirstGuest, site.reflects ? ", the wire reflects" : "");
  for (std::size_t m = 0; m < kMacs; ++m) text += fmt::format("  {} {}\n", m, wire::to_text(site.macs[m]));
  for (std::size_t i = 0; i <= upto; ++i) {
    const Step& s = site.steps[i];
    text += fmt::format("  in {} {} -> {} tag {}: kernel {:06b} simulator {:06b} live {:06b}{}\n", s.port,
                        wire::to_text(s.source), wire::to_text(s.destination), s.tag, s.kernel, s.simulator,
                        s.live, s.wrong ? " TWICE, or another tag" : "");
  }
  return text;
}

std::uint32_t relay(Simulated& simulated, const Site& site, const Step& step) {
  const auto all =
      simulated.relay(site.ports[step.port], {step.destination, step.source, step.tag}, base::Time{0});
  std::uint32_t copies = 0;
  for (std::size_t p = 0; p < all.size(); ++p) {
    EXPECT_EQ(all[p].tagged, step.tag != 0 ? all[p].frames : 0);
    copies |= (all[p].frames != 0 ? 1u : 0u) << p;
  }
  return copies;
}

std::uint32_t relay(lab::LiveSwitch& live, const Site& site, const Step& step) {
  std::uint32_t copies = 0;
  for (const auto& copy : live.relay(site.ports[step.port],
                                     {step.destination, step.source, step.tag, TestBed::kFrameBytes}, {})) {
    EXPECT_EQ(copy.tag, step.tag);
    copies |= 1u << (std::ranges::find(site.ports, copy.port) - site.ports.begin());
  }
  return copies;
}

// ---------------------------------------------------------------- playing

class Batch {
 public:
  Batch(TestBed bed, std::vector<Site> sites) : bed_(std::move(bed)), sites_(std::move(sites)) {
    for (std::size_t b = 0; b < sites_.size(); ++b) {
      build(b);
      simulated_.push_back(std::make_unique<Simulated>(sites_[b].model, sites_[b].bridge));
      live_.push_back(std::make_unique<lab::LiveSwitch>(sites_[b].model, sites_[b].bridge));
    }
  }

  std::vector<Site> play() {
    EXPECT_TRUE(bed_.wait_for_ports());
    for (std::size_t i = 0; i < kFrames && !testing::Test::HasFatalFailure(); ++i) play_step(i);
    return std::move(sites_);
  }

 private:
  static constexpr std::size_t kUnderWay = 60;  // sites with a frame under way; each makes six copies at most
  static constexpr TestBed::Number kClosing = 0x4000'0000u;

  // The NIC, and on it the guests' devices.
  void build(std::size_t b) {
    const Site& site = sites_[b];
    const auto mode = kModes[static_cast<std::size_t>(site.mode)];
    const std::string nic = fmt::format("n{}", b);
    const auto far = bed_.add_port(nic, site.macs[mode == sys::MacvlanMode::kPassthru ? kFirstGuest : kHost]);
    ASSERT_TRUE(far.has_value()) << far.error().what;
    note(b, kWire, *far, false);
    note(b, kHost, bed_.links().index(nic).value(), true);
    for (std::size_t p = kFirstGuest; p < site.ports.size(); ++p) {
      const std::string name = fmt::format("n{}g{}", b, p);
      must(bed_.links().add_macvlan({bed_.switches(), name, site.macs[p]}, nic, mode));
      must(bed_.links().set_up(name, true));
      note(b, p, bed_.links().index(name).value(), true);
    }
  }
  void note(std::size_t b, std::size_t port, int device, bool among_switches) {
    devices_.resize(std::max(devices_.size(), (b + 1) * kMostPorts));
    devices_[b * kMostPorts + port] = device;
    where_[{device, among_switches}] = {b, port};
  }
  static void must(const base::Result<void>& done) { ASSERT_TRUE(done.has_value()) << done.error().what; }

  void play_step(std::size_t i) {
    for (std::size_t b = 0; b < sites_.size(); ++b) {
      Site& site = sites_[b];
      Step& step = site.steps[i];
      const Step* const before = site.reflects && i > 0 ? &site.steps[i - 1] : nullptr;
      if (before != nullptr && (before->simulator >> kWire & 1) != 0)
        step = {
            .port = kWire, .destination = before->destination, .source = before->source, .tag = before->tag};
      send(b, step, static_cast<TestBed::Number>(b << 16 | i));
      step.simulator = relay(*simulated_[b], site, step);
      step.live = relay(*live_[b], site, step);
      if (b % kUnderWay == kUnderWay - 1) collect();
    }
    collect();
  }

  void send(std::size_t b, const Step& step, TestBed::Number number) {
    const int device = devices_[b * kMostPorts + step.port];
    if (step.port != kWire) {
      bed_.send_from_interface(device, step.destination, step.source, number, step.tag);
      return;
    }
    bed_.send(device, step.destination, step.source, number, step.tag);
    if (!step.destination.is_group()) return;
    // What comes in for a group waits in a queue of the NIC's own for a worker (macvlan_broadcast_enqueue). A
    // broadcast of nobody's behind it reaches the host and all guests, and when it has, the frame is through.
    bed_.send(device, wire::kBroadcast, Mac{0x0e5d'0000'0000u}, number | kClosing);
    closing_ += sites_[b].ports.size() - 1;
  }

  void collect() {
    const auto each = [&](const TestBed::Heard& heard) {
      const auto found = where_.find({heard.device, heard.among_switches});
      if (found == where_.end()) return;
      if (heard.number & kClosing) {
        --closing_;
        return;
      }
      const auto [b, port] = found->second;
      ASSERT_EQ(b, heard.number >> 16) << "a frame got to another site";
      Step& step = sites_[b].steps[heard.number & 0xffff];
      // What reaches a stack has lost its tag on the last step (net/core/dev.c, __netif_receive_skb_core).
      const bool another_tag = port == kWire && heard.tag != step.tag;
      step.wrong |= (step.kernel >> port & 1) != 0 || another_tag;
      step.kernel |= 1u << port;
    };
    ASSERT_TRUE(bed_.listen(each, [&] { return closing_ == 0; })) << closing_ << " closing frames missing";
    ASSERT_TRUE(bed_.settle(each));
  }

  TestBed bed_;
  std::vector<Site> sites_;
  std::vector<int> devices_;  // by site and port
  std::map<std::pair<int, bool>, std::pair<std::size_t, std::size_t>> where_;
  std::vector<std::unique_ptr<Simulated>> simulated_;
  std::vector<std::unique_ptr<lab::LiveSwitch>> live_;
  std::size_t closing_ = 0;  // copies of closing frames that are still to come
};

TEST(Macvlan, SimulatorAndLiveSwitchDoWhatTheKernelDoes) {
  constexpr std::size_t kSites = 600, kAtOnce = 150;
  std::size_t frames = 0, copies = 0, reflected = 0;
  for (std::uint64_t first = 1; first <= kSites; first += kAtOnce) {
    std::vector<Site> sites;
    for (std::uint64_t seed = first; seed < first + kAtOnce; ++seed) sites.push_back(make_site(seed));
    auto bed = TestBed::make(true);
    ASSERT_TRUE(bed.has_value()) << bed.error().what;
    Batch batch(std::move(*bed), std::move(sites));
    if (HasFatalFailure()) return;
    for (const Site& site : batch.play()) {
      for (std::size_t i = 0; i < site.steps.size(); ++i) {
        const Step& step = site.steps[i];
        ++frames;
        copies += static_cast<std::size_t>(std::popcount(step.kernel));
        reflected += i > 0 && site.reflects && (site.steps[i - 1].kernel >> kWire & 1) != 0;
        if (step.kernel == step.simulator && step.kernel == step.live && !step.wrong) continue;
        ADD_FAILURE() << describe(site, i);
        break;
      }
    }
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(copies, frames / 2);  // something did happen
  std::printf("%zu sites, %zu frames, %zu of them reflected, %zu copies\n", kSites, frames, reflected,
              copies);
}

}  // namespace
}  // namespace sekimori::differential

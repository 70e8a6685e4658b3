// ARP and Neighbor Discovery suppression of this kernel's bridge against the simulator's and the live
// switch's: random bridges with ports that suppress and random tables of neighbours, random frames of both,
// compared copy by copy and answer by answer.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

#include "base/random.h"
#include "lab/live_switch.h"
#include "lab/suppression.h"
#include "model/builder.h"
#include "tests/differential/simulated.h"
#include "tests/differential/test_bed.h"
#include "wire/emit.h"

namespace sekimori::differential {
namespace {

constexpr std::size_t kMostPorts = 5, kMacs = 7, kFrames = 40;
constexpr std::uint32_t kNet = 0x0a00'0000u, kNobody = kNet | 99;

struct Step {
  enum class Kind : std::uint8_t { kPlain, kRequest, kReply, kAnnouncement, kProbe } kind;
  std::size_t port;
  Mac destination, source;
  std::uint32_t target = 0;  // an IPv4 address; in IPv6 its last octet counts
  bool ipv6 = false;
  // Copies and answers by port, four bits each.
  std::uint32_t kernel = 0, simulator = 0, live = 0;

  bool resolves() const { return kind != Kind::kPlain; }
  bool is_arp() const { return resolves() && !ipv6; }
  bool is_reply() const { return kind == Kind::kReply || (ipv6 && kind == Kind::kAnnouncement); }
  // None: one with the frame's number.
  std::optional<std::uint32_t> sender() const {
    if (kind == Kind::kProbe) return 0;
    return kind == Kind::kAnnouncement ? std::optional(target) : std::nullopt;
  }
};

wire::Ipv6 address6(std::uint32_t ip) {
  wire::Ipv6 address{{0x20, 0x01, 0x0d, 0xb8}};
  address.octets[15] = static_cast<std::uint8_t>(ip);
  return address;
}

struct Site {
  std::uint64_t seed = 0;
  bool has_interface = false;
  model::Model model;
  std::vector<model::PortId> ports;
  std::vector<Mac> macs;
  std::vector<Step> steps;
};

Step random_step(base::Random& random, const Site& site) {
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  Step step{.kind = static_cast<Step::Kind>(random.below(5)),
            .port = site.has_interface + random.below(site.ports.size() - site.has_interface),
            .destination = site.macs[random.below(kMacs)],
            .source = site.macs[site.has_interface + random.below(kMacs - site.has_interface)]};
  if (one_in(2)) step.kind = Step::Kind::kRequest;
  step.target = one_in(6) ? kNobody : kNet | static_cast<std::uint32_t>(1 + random.below(kMacs));
  step.ipv6 = step.resolves() && one_in(3);
  if (step.resolves() && step.kind != Step::Kind::kReply && !one_in(6)) {
    const auto group = step.kind == Step::Kind::kAnnouncement ? wire::kAllNodes
                                                              : wire::solicited_node(address6(step.target));
    step.destination = step.ipv6 ? wire::group_mac(group) : wire::kBroadcast;
  }
  return step;
}

Site make_site(std::uint64_t seed) {
  base::Random random(seed);
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  Site site;
  site.seed = seed;
  site.has_interface = one_in(2);
  const std::size_t count = site.has_interface + 2 + random.below(kMostPorts - 2);
  for (std::size_t m = 0; m < kMacs; ++m) site.macs.push_back(Mac{0x0200'0000'0000u + m});
  model::Builder builder;
  const auto node = builder.add_machine("node", model::MachineKind::kHost).value();
  const auto bridge = builder.add_bridge("br", model::BridgeKind::kLinuxBridge, node).value();
  for (std::size_t m = 0; m < kMacs; ++m) {
    const bool is_own = m == 0 && site.has_interface;
    const auto machine =
        is_own ? node : builder.add_machine(fmt::format("h{}", m), model::MachineKind::kHost).value();
    const auto nic = builder.add_station(machine, "e", site.macs[m], model::MacOrigin::kDeclared).value();
    builder.model()[nic].ip = {{kNet | static_cast<std::uint32_t>(m + 1)}, 24};
    // The interface has no IPv6 in these tests.
    if (!is_own) builder.model()[nic].ip6 = {address6(static_cast<std::uint32_t>(m + 1)), 64};
    if (m >= count) continue;
    if (is_own) {
      site.ports.push_back(builder.attach(nic, bridge, model::PortRole::kHost).value());
      continue;
    }
    const auto port = builder.bridge_port(bridge, std::to_string(m));
    EXPECT_TRUE(builder.connect(builder.wire_port(nic), port, model::Link{}).has_value());
    site.ports.push_back(port);
  }
  model::Model& model = builder.model();
  model::Bridge& br = model[bridge];
  br.ageing = one_in(5) ? base::Duration{0} : base::seconds(300);
  br.table_size = 0;
  for (std::size_t p = site.has_interface; p < count; ++p) {
    model::Port& port = model[site.ports[p]];
    port.neigh_suppress = one_in(2);
    port.learning = !one_in(6);
    port.floods_unknown = !one_in(6);
    port.isolated = one_in(4);
    port.hairpin = one_in(6);
    port.floods_broadcast = !one_in(8);
  }
  for (std::size_t m = site.has_interface; m < kMacs; ++m) {
    for (const bool ipv6 : {false, true}) {
      if (one_in(2)) continue;
      const Mac mac = site.macs[one_in(4) ? random.below(kMacs) : m];
      if (ipv6)
        br.neighbours.push_back({.ip = {}, .ip6 = model.stations[m].ip6.address, .mac = mac});
      else
        br.neighbours.push_back({.ip = model.stations[m].ip.address, .ip6 = {}, .mac = mac});
    }
    const std::size_t p = site.has_interface + random.below(count - site.has_interface);
    if (one_in(4)) br.static_entries.push_back({0, site.macs[m], site.ports[p]});
  }
  for (std::size_t i = 0; i < kFrames; ++i) site.steps.push_back(random_step(random, site));
  site.model = std::move(builder).finish();
  return site;
}

std::string describe(const Site& site, std::size_t upto) {
  const model::Bridge& br = site.model.bridges[0];
  std::string text = fmt::format("seed {}: ageing {}{}\n", site.seed, base::to_text(br.ageing),
                                 site.has_interface ? ", port 0 is the bridge's own interface" : "");
  for (std::size_t p = 0; p < site.ports.size(); ++p) {
    const model::Port& port = site.model[site.ports[p]];
    text +=
        fmt::format("  port {}:{}{}{}{}{}{}\n", p, port.neigh_suppress ? " neigh-suppress" : "",
                    port.hairpin ? " hairpin" : "", port.learning ? "" : " learning off",
                    port.floods_unknown ? "" : " flood off",
                    port.floods_broadcast ? "" : " broadcast-flood off", port.isolated ? " isolated" : "");
  }
  for (const auto& known : br.neighbours)
    text += fmt::format("  neighbour {} at {}\n",
                        known.ip.is_zero() ? wire::to_text(known.ip6) : wire::to_text(known.ip),
                        wire::to_text(known.mac));
  for (const auto& entry : br.static_entries)
    text += fmt::format("  static {} at port {}\n", wire::to_text(entry.mac),
                        std::ranges::find(site.ports, entry.port) - site.ports.begin());
  constexpr const char* kKinds[] = {"frame", "request", "reply", "announcement", "probe"};
  for (std::size_t i = 0; i <= upto; ++i) {
    const Step& s = site.steps[i];
    text += fmt::format("  in {} {}{} {} -> {} about {}: kernel {:06x} simulator {:06x} live {:06x}\n",
                        s.port, s.ipv6 ? "IPv6 " : "", kKinds[static_cast<std::size_t>(s.kind)],
                        wire::to_text(s.source), wire::to_text(s.destination),
                        wire::to_text(wire::Ipv4{s.target}), s.kernel, s.simulator, s.live);
  }
  return text;
}

void add_copy(std::uint32_t& copies, std::size_t port) { copies += 1u << 4 * port; }

void relay(Simulated& simulated, const Site& site, Step& step, TestBed::Number number, base::Time at) {
  const auto all = simulated.relay(site.ports[step.port],
                                   {.destination = step.destination,
                                    .source = step.source,
                                    .is_arp = step.is_arp(),
                                    .is_reply = step.is_reply(),
                                    .is_nd = step.ipv6,
                                    .sender_ip = step.sender().value_or(TestBed::kAskers | number),
                                    .target_ip = step.target,
                                    .target_ip6 = address6(step.target)},
                                   at);
  for (std::size_t p = site.has_interface; p < all.size(); ++p) {
    for (std::int64_t n = 0; n < all[p].frames; ++n) add_copy(step.simulator, p);
  }
}

// The frame as it is on the wire.
wire::Buffer bytes_of(const Step& step, TestBed::Number number) {
  wire::Buffer frame;
  wire::FrameShape shape{.destination = step.destination, .source = step.source};
  if (!step.ipv6) {
    wire::append_arp(frame, shape,
                     {.operation = step.is_reply() ? wire::Arp::kReply : wire::Arp::kRequest,
                      .sender_mac = step.source,
                      .sender_ip = {step.sender().value_or(TestBed::kAskers | number)},
                      .target_mac = {},
                      .target_ip = {step.target}});
    return frame;
  }
  shape.bytes = 86;  // 14 + 40 + 24 + 8: with the MAC
  wire::Ipv6 sender{{0xfd, 0xaa}};
  for (std::size_t i = 0; i < 4; ++i)
    sender.octets[12 + i] = static_cast<std::uint8_t>(number >> 8 * (3 - i));
  if (step.kind == Step::Kind::kProbe) sender = {};
  const wire::Ipv6 target = address6(step.target);
  using wire::Icmpv6;
  wire::append_neighbor(
      frame, shape, sender,
      step.kind == Step::Kind::kAnnouncement ? wire::kAllNodes : wire::solicited_node(target),
      {.type = step.is_reply() ? Icmpv6::kNeighborAdvertisement : Icmpv6::kNeighborSolicitation,
       .target = target,
       .solicited = step.kind == Step::Kind::kReply,
       .source_mac = step.source,
       .target_mac = step.source});
  for (std::size_t i = 1; i < 4; ++i)
    frame[TestBed::kReservedAt + i] |= static_cast<std::uint8_t>(number >> 8 * (3 - i));
  return frame;
}

void relay(lab::LiveSwitch& live, const Site& site, Step& step, TestBed::Number number, base::Time at) {
  lab::LiveSwitch::Frame frame{.destination = step.destination,
                               .source = step.source,
                               .bytes = TestBed::kFrameBytes,
                               .is_arp = step.is_arp()};
  if (step.resolves()) frame.about = lab::read_about(bytes_of(step, number));
  for (const auto& copy : live.relay(site.ports[step.port], frame, at)) {
    const auto p = static_cast<std::size_t>(std::ranges::find(site.ports, copy.port) - site.ports.begin());
    if (p >= site.has_interface) add_copy(step.live, p);
  }
  if (live.answer()) add_copy(step.live, step.port);
}

class Batch {
 public:
  Batch(TestBed bed, std::vector<Site> sites) : bed_(std::move(bed)), sites_(std::move(sites)) {
    for (std::size_t b = 0; b < sites_.size(); ++b) build(b);
  }

  std::vector<Site> play() {
    EXPECT_TRUE(bed_.wait_for_ports());
    std::vector<std::unique_ptr<Simulated>> simulated;
    std::vector<std::unique_ptr<lab::LiveSwitch>> live;
    for (const Site& site : sites_) {
      simulated.push_back(std::make_unique<Simulated>(site.model, model::BridgeId(0u)));
      live.push_back(std::make_unique<lab::LiveSwitch>(site.model, model::BridgeId(0u)));
    }
    for (std::size_t i = 0; i < kFrames; ++i) {
      const base::Time at = base::milliseconds(static_cast<std::int64_t>(i + 1));
      for (std::size_t b = 0; b < sites_.size(); ++b) {
        Step& step = sites_[b].steps[i];
        const auto number = static_cast<TestBed::Number>(b * kFrames + i);
        send(b, step, number);
        relay(*simulated[b], sites_[b], step, number, at);
        relay(*live[b], sites_[b], step, number, at);
      }
      collect();
    }
    return std::move(sites_);
  }

 private:
  static void must(const base::Result<void>& done) { ASSERT_TRUE(done.has_value()) << done.error().what; }

  Mac own_mac(std::size_t b) const {
    return sites_[b].has_interface ? sites_[b].macs[0] : Mac{0x0e5f'0000'0000u + b};
  }

  void build(std::size_t b) {
    const Site& site = sites_[b];
    const model::Bridge& br = site.model.bridges[0];
    sys::Links& links = bed_.links();
    const std::string name = fmt::format("b{}", b);
    sys::BridgeSettings settings;
    settings.mac = own_mac(b);
    settings.ageing = br.ageing;
    must(links.add_bridge(name, settings));
    allow_ipv6(name);
    must(links.set_up(name, true));
    if (site.has_interface) must(links.add_address(name, site.model.stations[0].ip));
    far_ends_.resize((b + 1) * (kMostPorts + 1));
    const auto device = [&](std::size_t p) { return fmt::format("b{}p{}", b, p); };
    for (std::size_t p = site.has_interface; p < site.ports.size(); ++p) {
      const auto far = bed_.add_port(device(p));
      ASSERT_TRUE(far.has_value()) << far.error().what;
      far_ends_[b * (kMostPorts + 1) + p] = *far;
      port_at_[*far] = {b, p};
      const model::Port& port = site.model[site.ports[p]];
      must(links.enslave(device(p), name));
      sys::BridgePortSettings flags;
      flags.learning = port.learning;
      flags.floods_unknown = port.floods_unknown;
      flags.floods_broadcast = port.floods_broadcast;
      flags.isolated = port.isolated;
      flags.hairpin = port.hairpin;
      flags.neigh_suppress = port.neigh_suppress;
      must(links.set_port(device(p), flags));
    }
    for (const auto& entry : br.static_entries) {
      const auto p = static_cast<std::size_t>(std::ranges::find(site.ports, entry.port) - site.ports.begin());
      // The kernel has that of its interface's own address by itself.
      if (p >= site.has_interface) must(links.add_fdb_entry(device(p), entry.mac, true));
    }
    for (const auto& known : br.neighbours)
      must(known.ip.is_zero() ? links.add_neighbour(name, known.ip6, known.mac)
                              : links.add_neighbour(name, known.ip, known.mac));
  }

  // Without an address, so that it says nothing by itself.
  void allow_ipv6(const std::string& bridge) {
    auto inside = sys::InNamespace::enter(bed_.switches());
    ASSERT_TRUE(inside.has_value()) << inside.error().what;
    must(sys::write_setting(fmt::format("net/ipv6/conf/{}/addr_gen_mode", bridge), "1"));
    must(sys::write_setting(fmt::format("net/ipv6/conf/{}/disable_ipv6", bridge), "0"));
  }

  void send(std::size_t b, const Step& step, TestBed::Number number) {
    const int from = far_ends_[b * (kMostPorts + 1) + step.port];
    if (!step.resolves()) return bed_.send(from, step.destination, step.source, number);
    bed_.send_marked(from, bytes_of(step, number), number);
  }

  void collect() {
    ASSERT_TRUE(bed_.settle([&](const TestBed::Heard& heard) {
      const auto at = port_at_.find(heard.device);
      if (heard.among_switches || at == port_at_.end()) return;
      const auto [b, p] = at->second;
      ASSERT_EQ(heard.number / kFrames, b) << "a frame got to another bridge";
      // What the machine says of itself: the addresses of all bridges' interfaces are its own.
      if (heard.is_answer && heard.source == own_mac(b)) return;
      add_copy(sites_[b].steps[heard.number % kFrames].kernel, p);
    }));
  }

  TestBed bed_;
  std::vector<Site> sites_;
  std::vector<int> far_ends_;
  std::map<int, std::pair<std::size_t, std::size_t>> port_at_;
};

TEST(NeighSuppress, SimulatorAndLiveSwitchDoWhatTheKernelDoes) {
  constexpr std::size_t kSites = 600, kAtOnce = 100;
  std::size_t frames = 0, answers = 0, copies = 0;
  for (std::size_t first = 0; first < kSites; first += kAtOnce) {
    std::vector<Site> sites;
    for (std::uint64_t seed = first + 1; seed <= first + kAtOnce; ++seed) sites.push_back(make_site(seed));
    auto bed = TestBed::make();
    ASSERT_TRUE(bed.has_value()) << bed.error().what;
    Batch batch(std::move(*bed), std::move(sites));
    if (HasFatalFailure()) return;
    for (const Site& site : batch.play()) {
      for (std::size_t i = 0; i < site.steps.size(); ++i) {
        const Step& step = site.steps[i];
        ++frames;
        copies += static_cast<std::size_t>(std::popcount(step.kernel));
        const bool hairpin = site.model[site.ports[step.port]].hairpin;
        answers += !hairpin && (step.kernel >> 4 * step.port & 0xf) != 0;
        if (step.kernel == step.simulator && step.kernel == step.live) continue;
        ADD_FAILURE() << describe(site, i);
        break;
      }
    }
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(answers, frames / 100);
  EXPECT_GT(copies, frames / 2);
  std::printf("%zu frames, %zu copies, %zu answers\n", frames, copies, answers);
}

}  // namespace
}  // namespace sekimori::differential

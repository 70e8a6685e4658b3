// Multicast snooping of this kernel's bridge against the simulator's and the live switch's: random bridges,
// queriers or not, and random IGMP and MLD among packets for groups that somebody joined or nobody, compared
// copy by copy.
//
// Of time: what is short (the answer to a query, the end of a membership that somebody has left) takes 1, 2,
// 4 or 10 s. Frames come in bursts of half a second, 2.8 s apart, so that nothing ends while one is under
// way.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

#include "base/random.h"
#include "lab/live_frames.h"
#include "lab/live_switch.h"
#include "model/builder.h"
#include "model/multicast.h"
#include "tests/differential/simulated.h"
#include "tests/differential/test_bed.h"
#include "wire/emit.h"

namespace sekimori::differential {
namespace {

using base::Duration;
using base::Time;
using model::Group;
using wire::Listening;
using Clock = std::chrono::steady_clock;
using Does = Simulated::Frame::ToGroup;

constexpr std::size_t kMostPorts = 5, kBursts = 6, kFramesPerBurst = 8;
constexpr auto kBurst = std::chrono::milliseconds(450), kPeriod = std::chrono::milliseconds(2800);
// The models' clock when the kernel's bridges are being made.
constexpr Time kBeginning = base::seconds(100);
constexpr wire::Ipv4 kOwnIp{0x0a00'0005u};

Group ipv4(std::uint32_t bits) { return wire::to_group({bits}); }
Group ipv6(std::uint8_t scope, std::uint8_t last) {
  Group group{{0xff, scope}};
  group.octets[15] = last;
  return group;
}

// Two of IPv4 have one Ethernet address. Those for everybody come last.
const std::vector<Group>& all_groups() {
  static const std::vector<Group> groups = [] {
    Group asked = ipv6(0x02, 7);
    asked.octets[11] = 1;
    asked.octets[12] = 0xff;
    return std::vector{ipv4(0xef01'0101), ipv4(0xe101'0101), ipv4(0xef01'0102),
                       ipv6(0x15, 1),     ipv6(0x02, 0xfb),  asked,
                       ipv4(0xe000'0005), wire::kAllNodes};
  }();
  return groups;
}
constexpr std::size_t kJoined = 6;

struct Step {
  enum class Form : std::uint8_t { kAsItIs, kVersion1, kGarbled, kNoIp } form = Form::kAsItIs;
  Does does = Does::kPacket;
  std::size_t port = 0;
  Group group{};  // of a packet
  Listening message{};
  Time at{0};
  std::uint32_t kernel = 0, simulator = 0, live = 0;  // ports with a copy, by bit
  bool twice = false;                                 // the kernel delivered two copies at one port
};

struct Site {
  std::uint64_t seed = 0;
  // The simulator's hosts and queriers say less than is possible; they don't leave, for one. A third of the
  // sites has nothing else.
  bool is_simulated = false;
  bool has_interface = false;
  bool asks_ipv6 = false;
  model::Model model;
  std::vector<model::PortId> ports;
  std::vector<model::StationId> stations;  // at the ports
  std::vector<Step> steps;
  Time made{0};
};

// ---------------------------------------------------------------- random sites

Group querier_address(base::Random& random, const Site& site, const Step& step, bool v6) {
  if (!v6) return ipv4(random.below(4) == 0 ? 0 : 0x0a00'0001u + static_cast<std::uint32_t>(random.below(9)));
  if (site.is_simulated) return wire::link_local(site.model[site.stations[step.port]].mac);
  return wire::link_local(Mac{0x0200'0000'0000u + random.below(9)});
}

Listening random_query(base::Random& random, const Site& site, const Step& step) {
  constexpr std::uint32_t kGeneral[] = {0, 1000, 1000, 4000, 10'000}, kSpecific[] = {1000, 2000};
  Listening query;
  query.ipv6 = random.below(2) == 0;
  query.source = querier_address(random, site, step, query.ipv6);
  query.is_old_query = random.below(2) == 0;
  if (!site.is_simulated && random.below(3) == 0) {
    const Group& group = all_groups()[random.below(kJoined)];
    query.ipv6 = !wire::is_ipv4(group);
    query.source = querier_address(random, site, step, query.ipv6);
    query.group = group;
    query.patience_ms = kSpecific[random.below(std::size(kSpecific))];
    return query;
  }
  query.patience_ms = kGeneral[random.below(std::size(kGeneral))];
  if (!query.is_old_query && query.patience_ms == 0) query.patience_ms = 1000;
  if (site.is_simulated) query.patience_ms = 10'000;
  return query;
}

Listening random_message(base::Random& random, const Site& site, const Step& step) {
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  if (one_in(3)) return random_query(random, site, step);
  Listening message;
  const Group& group = all_groups()[random.below(all_groups().size())];
  message.ipv6 = !wire::is_ipv4(group);
  message.source = message.ipv6 ? wire::link_local(Mac{0x0200'0000'0000u}) : ipv4(0x0a00'0063);
  message.kind = one_in(2) ? Listening::Kind::kOldReport : Listening::Kind::kReport;
  if (!site.is_simulated && one_in(3)) message.kind = Listening::Kind::kLeave;
  if (message.kind != Listening::Kind::kReport) {
    message.group = group;
    return message;
  }
  if (site.is_simulated) {
    for (const Group& g : model::groups_of(site.model, site.stations[step.port], message.ipv6))
      message.records.push_back({g});
    if (!message.records.empty()) return message;
  }
  message.records.push_back({group, !site.is_simulated && one_in(3)});
  for (const Group& other : all_groups()) {
    if (!site.is_simulated && wire::is_ipv4(other) != message.ipv6 && one_in(6))
      message.records.push_back({other, one_in(3)});
  }
  return message;
}

Step random_step(base::Random& random, const Site& site) {
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  Step step{.port = random.below(site.ports.size()),
            .group = all_groups()[random.below(all_groups().size())]};
  if (one_in(2)) {
    if (!site.is_simulated && one_in(10)) step.form = Step::Form::kNoIp;
    return step;
  }
  step.message = random_message(random, site, step);
  using Kind = Listening::Kind;
  step.does = step.message.kind == Kind::kQuery       ? Does::kQuery
              : step.message.kind == Kind::kOldReport ? Does::kOldReport
                                                      : Does::kReport;
  // One of no groups at all is of another form in the simulator.
  if (site.is_simulated && step.does == Does::kReport &&
      model::groups_of(site.model, site.stations[step.port], step.message.ipv6).empty()) {
    step.does = Does::kOldReport;
    step.message.kind = Kind::kOldReport;
    step.message.group = step.message.records.front().group;
  }
  if (!site.is_simulated && one_in(12)) step.form = Step::Form::kGarbled;
  if (step.does == Does::kOldReport && !step.message.ipv6 && one_in(4)) step.form = Step::Form::kVersion1;
  return step;
}

Site make_site(std::uint64_t seed) {
  base::Random random(seed);
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  Site site;
  site.seed = seed;
  site.is_simulated = seed % 3 == 0;
  site.has_interface = one_in(2);
  const std::size_t count = 2 + random.below(kMostPorts - 1);
  model::Builder builder;
  const auto node = builder.add_machine("node", model::MachineKind::kHost).value();
  const auto bridge = builder.add_bridge("br", model::BridgeKind::kLinuxBridge, node).value();
  for (std::size_t p = 0; p < count; ++p) {
    const bool is_own = p == 0 && site.has_interface;
    const auto machine =
        is_own ? node : builder.add_machine(fmt::format("h{}", p), model::MachineKind::kHost).value();
    const Mac mac{0x0200'0000'0000u + seed * 16 + p};
    site.stations.push_back(builder.add_station(machine, "e", mac, model::MacOrigin::kDeclared).value());
    if (is_own) {
      site.ports.push_back(builder.attach(site.stations[p], bridge, model::PortRole::kHost).value());
      continue;
    }
    site.ports.push_back(builder.bridge_port(bridge, std::to_string(p)));
    const auto nic = builder.wire_port(site.stations[p]);
    EXPECT_TRUE(builder.connect(nic, site.ports[p], model::Link{}).has_value());
  }
  model::Model& m = builder.model();
  model::Bridge& br = m[bridge];
  br.snoops = site.is_simulated || !one_in(12);
  br.querier = br.snoops && one_in(3);
  if (site.has_interface && one_in(2)) br.querier_ip = kOwnIp;
  site.asks_ipv6 = br.querier && site.has_interface && one_in(2);
  if (site.asks_ipv6) m[site.stations[0]].ip6 = {wire::link_local(m[site.stations[0]].mac), 64};
  for (const model::StationId station : site.stations) {
    std::vector<Group> groups;
    std::ranges::copy_if(all_groups(), std::back_inserter(groups), [&](const Group&) { return one_in(3); });
    std::ranges::sort(groups);
    m[station].groups = static_cast<std::uint32_t>(m.group_sets.size());
    m.group_sets.push_back(groups);
  }
  // The simulator's bridges snoop where somebody asks.
  m[site.stations.back()].querier = site.is_simulated;
  m.group_sets.push_back(all_groups());
  for (std::size_t p = site.has_interface; p < count; ++p) {
    model::Port& port = m[site.ports[p]];
    port.floods_multicast = !one_in(4);
    port.floods_broadcast = !one_in(6);
    port.learning = !one_in(6);
    port.isolated = one_in(4);
    port.hairpin = one_in(6);
  }
  site.model = std::move(builder).finish();
  for (std::size_t i = 0; i < kBursts * kFramesPerBurst; ++i) site.steps.push_back(random_step(random, site));
  return site;
}

// ---------------------------------------------------------------- frames

void garble(wire::Buffer& frame, bool v6) { frame[v6 ? 14 + 40 + 8 + 23 : 14 + 24 + 7] ^= 1; }

void make_version_1(wire::Buffer& frame) {
  constexpr std::size_t kIgmp = 14 + 24;
  frame[kIgmp] = 0x12;
  frame[kIgmp + 2] = frame[kIgmp + 3] = 0;
  const auto sum = wire::fold_checksum(wire::add_checksum(wire::Bytes(frame).subspan(kIgmp, 8)));
  frame[kIgmp + 2] = static_cast<std::uint8_t>(sum >> 8);
  frame[kIgmp + 3] = static_cast<std::uint8_t>(sum);
}

wire::Buffer bytes_of(const Step& step, TestBed::Number number) {
  wire::Buffer frame;
  wire::FrameShape shape{.destination = wire::group_mac(step.group),
                         .source = TestBed::numbered_source(number)};
  if (step.form == Step::Form::kNoIp) {
    wire::put_mac(frame, shape.destination);
    wire::put_mac(frame, shape.source);
    wire::put_be16(frame, 0x88b5);
    frame.resize(TestBed::kFrameBytes);
  } else if (step.does != Does::kPacket) {
    wire::append_listening(frame, shape, step.message);
    if (step.form == Step::Form::kVersion1) make_version_1(frame);
    if (step.form == Step::Form::kGarbled) garble(frame, step.message.ipv6);
  } else if (wire::is_ipv4(step.group)) {
    wire::Ipv4Header ip;
    ip.source = {0x0a00'0063};
    ip.destination = wire::ipv4_of(step.group);
    wire::append_udp(frame, shape, ip, {.source_port = 5001, .destination_port = 5001});
  } else {
    shape.bytes = 70;
    wire::append_udp(
        frame, shape,
        wire::Ipv6Header{.source = wire::link_local(Mac{0x0200'0000'0000u}), .destination = step.group},
        {.source_port = 5001, .destination_port = 5001});
  }
  return frame;
}

std::string to_text(const Step& step) {
  constexpr const char* kForms[] = {"", "version 1 ", "garbled ", "not IP "};
  std::string text = kForms[static_cast<std::size_t>(step.form)];
  if (step.does == Does::kPacket) return text + "packet for " + wire::group_text(step.group);
  const Listening& m = step.message;
  const std::string group = m.group.is_zero() ? "all" : wire::group_text(m.group);
  switch (m.kind) {
    case Listening::Kind::kQuery:
      return text + fmt::format("{} {} query for {} from {}, {} ms", m.is_old_query ? "old" : "new",
                                m.ipv6 ? "MLD" : "IGMP", group, wire::group_text(m.source), m.patience_ms);
    case Listening::Kind::kOldReport:
      return text + "report of " + group;
    case Listening::Kind::kLeave:
      return text + "leaves " + group;
    default:
      break;
  }
  text += "new report";
  for (const auto& r : m.records)
    text += fmt::format(" {}{}", r.leaves ? "without " : "", wire::group_text(r.group));
  return text;
}

std::string describe(const Site& site, std::size_t upto) {
  const model::Bridge& br = site.model.bridges[0];
  std::string text = fmt::format("seed {}:{}{}{}{}\n", site.seed, br.snoops ? "" : " does not snoop",
                                 br.querier ? " querier from " + wire::to_text(br.querier_ip) : "",
                                 site.asks_ipv6 ? " and IPv6" : "",
                                 site.has_interface ? ", port 0 is the bridge's own interface" : "");
  for (std::size_t p = 0; p < site.ports.size(); ++p) {
    const model::Port& port = site.model[site.ports[p]];
    text +=
        fmt::format("  port {}:{}{}{}\n", p, port.hairpin ? " hairpin" : "",
                    port.floods_multicast ? "" : " multicast-flood off", port.isolated ? " isolated" : "");
  }
  for (std::size_t i = 0; i <= upto; ++i) {
    const Step& s = site.steps[i];
    text += fmt::format("  {:7.3f} s in {} {}: kernel {:05b} simulator {:05b} live {:05b}{}\n",
                        base::to_seconds(s.at - site.made), s.port, to_text(s), s.kernel, s.simulator, s.live,
                        s.twice ? " TWICE" : "");
  }
  return text;
}

// ---------------------------------------------------------------- the models

void relay(Simulated& simulated, const Site& site, Step& step) {
  Simulated::Frame frame{.destination = wire::group_mac(wire::kAllNodes),
                         .source = site.model[site.stations[step.port]].mac};
  frame.to_group = step.does;
  frame.reporter = site.stations[step.port];
  const bool v6 = step.message.ipv6;
  switch (step.does) {
    case Does::kPacket:
      frame.group = step.group;
      break;
    case Does::kOldReport:
      frame.group = step.message.group;
      break;
    case Does::kReport:
      frame.group = v6 ? wire::kAllMldv2Routers : wire::to_group(wire::kAllIgmpv3Routers);
      break;
    case Does::kQuery:
      frame.group = v6 ? wire::kAllNodes : wire::to_group(wire::kAllHosts);
      frame.sender_ip = v6 ? 0 : wire::ipv4_of(step.message.source).bits;
      break;
  }
  const auto all = simulated.relay(site.ports[step.port], frame, step.at);
  for (std::size_t p = 0; p < all.size(); ++p) step.simulator |= (all[p].frames != 0 ? 1u : 0u) << p;
}

void relay(lab::LiveSwitch& live, const Site& site, Step& step) {
  const wire::Buffer bytes = bytes_of(step, 0);
  auto frame = lab::read_frame(std::as_bytes(std::span(bytes)));
  lab::read_group(std::as_bytes(std::span(bytes)), frame);
  for (const auto& copy : live.relay(site.ports[step.port], frame, step.at))
    step.live |= 1u << (std::ranges::find(site.ports, copy.port) - site.ports.begin());
}

void play_models(Site& site) {
  const model::BridgeId bridge(0u);
  lab::LiveSwitch live(site.model, bridge);
  if (auto* snooping = live.snooping()) {
    snooping->asks(0, wire::to_group(site.model.bridges[0].querier_ip), site.made);
    if (site.asks_ipv6) snooping->asks(0, wire::link_local(site.model[site.stations[0]].mac), site.made);
  }
  std::optional<Simulated> simulated;
  if (site.is_simulated) {
    simulated.emplace(site.model, bridge);
    if (site.model.bridges[0].querier) simulated->ask(site.made);
  }
  for (Step& step : site.steps) {
    relay(live, site, step);
    if (simulated) relay(*simulated, site, step);
  }
}

// ---------------------------------------------------------------- the kernel

class Batch {
 public:
  Batch(TestBed bed, std::vector<Site> sites) : bed_(std::move(bed)), sites_(std::move(sites)) {
    for (std::size_t b = 0; b < sites_.size(); ++b) add_ports(b);
    for (std::size_t b = 0; b < sites_.size(); ++b) add_bridge(b);
  }

  // None: the machine was too slow, so that it is not known what was before what.
  std::optional<std::vector<Site>> play() {
    EXPECT_TRUE(bed_.wait_for_ports());
    if (now() - kBeginning > base::seconds(5)) return {};
    Clock::time_point burst = first_burst();
    for (std::size_t n = 0; n < kBursts; ++n, burst += kPeriod) {
      std::this_thread::sleep_until(burst);
      for (std::size_t i = 0; i < kFramesPerBurst; ++i) send_all(n * kFramesPerBurst + i);
      if (Clock::now() > burst + kBurst) return {};
    }
    return std::move(sites_);
  }

 private:
  // Frames of one step under way at a time: each makes at most five copies, and the kernel's backlog holds
  // 1000.
  static constexpr std::size_t kUnderWay = 60;

  static void must(const base::Result<void>& done) { ASSERT_TRUE(done.has_value()) << done.error().what; }
  static std::string port_name(std::size_t b, std::size_t p) { return fmt::format("b{}p{}", b, p); }
  Time now() const { return kBeginning + std::chrono::duration_cast<Duration>(Clock::now() - start_); }

  // Own queriers are believed 10 s after they are made, which must not be within a burst.
  Clock::time_point first_burst() const {
    const auto believed = start_ + std::chrono::seconds(10);
    auto burst = Clock::now();
    for (;; burst += std::chrono::milliseconds(100)) {
      const auto into = (believed - burst) % kPeriod;
      if (into > kBurst + std::chrono::milliseconds(50) && into + made_within_ < kPeriod) return burst;
    }
  }

  void add_ports(std::size_t b) {
    far_ends_.resize((b + 1) * kMostPorts);
    for (std::size_t p = sites_[b].has_interface; p < sites_[b].ports.size(); ++p) {
      const auto far = bed_.add_port(port_name(b, p));
      ASSERT_TRUE(far.has_value()) << far.error().what;
      far_ends_[b * kMostPorts + p] = *far;
      where_[{*far, false}] = {b, p};
    }
  }

  void add_bridge(std::size_t b) {
    if (b == 0) start_ = Clock::now();
    Site& site = sites_[b];
    site.made = now();
    const model::Bridge& br = site.model.bridges[0];
    sys::Links& links = bed_.links();
    const std::string name = fmt::format("b{}", b);
    sys::BridgeSettings settings;
    settings.mac = site.has_interface ? site.model[site.stations[0]].mac : Mac{0x0e5f'0000'0000u + b};
    settings.snoops = br.snoops;
    settings.querier = br.querier;
    settings.querier_uses_address = !br.querier_ip.is_zero();
    must(links.add_bridge(name, settings));
    if (site.has_interface) must(links.add_address(name, wire::Ipv4Prefix{kOwnIp, 24}));
    if (site.asks_ipv6) {
      allow_ipv6(name);
      must(links.add_address(name, site.model[site.stations[0]].ip6));
    }
    must(links.set_up(name, true));
    interfaces_.push_back(links.index(name).value());
    if (site.has_interface) where_[{interfaces_[b], true}] = {b, 0};
    for (std::size_t p = site.has_interface; p < site.ports.size(); ++p) {
      const model::Port& port = site.model[site.ports[p]];
      must(links.enslave(port_name(b, p), name));
      sys::BridgePortSettings flags;
      flags.learning = port.learning;
      flags.isolated = port.isolated;
      flags.hairpin = port.hairpin;
      flags.floods_broadcast = port.floods_broadcast;
      flags.floods_multicast = port.floods_multicast;
      must(links.set_port(port_name(b, p), flags));
    }
    made_within_ = Clock::now() - start_;
  }

  void allow_ipv6(const std::string& bridge) {
    auto inside = sys::InNamespace::enter(bed_.switches());
    ASSERT_TRUE(inside.has_value()) << inside.error().what;
    must(sys::write_setting(fmt::format("net/ipv6/conf/{}/addr_gen_mode", bridge), "1"));
    must(sys::write_setting(fmt::format("net/ipv6/conf/{}/disable_ipv6", bridge), "0"));
  }

  void send_all(std::size_t i) {
    for (std::size_t b = 0; b < sites_.size(); ++b) {
      Step& step = sites_[b].steps[i];
      step.at = now();
      const bool from_interface = sites_[b].has_interface && step.port == 0;
      const auto number = static_cast<TestBed::Number>(b << 16 | i);
      bed_.send_numbered(from_interface,
                         from_interface ? interfaces_[b] : far_ends_[b * kMostPorts + step.port],
                         bytes_of(step, number));
      if (b % kUnderWay == kUnderWay - 1) collect();
    }
    collect();
  }

  void collect() {
    ASSERT_TRUE(bed_.settle([&](const TestBed::Heard& heard) {
      const auto at = where_.find({heard.device, heard.among_switches});
      // What bridges and their interfaces say of themselves is taken for Neighbor Discovery, and has a
      // source.
      if (at == where_.end() || !heard.source.is_zero()) return;
      ASSERT_EQ(at->second.first, heard.number >> 16) << "a frame got to another bridge";
      Step& step = sites_[at->second.first].steps[heard.number & 0xffff];
      step.twice |= (step.kernel >> at->second.second & 1) != 0;
      step.kernel |= 1u << at->second.second;
    }));
  }

  TestBed bed_;
  std::vector<Site> sites_;
  std::vector<int> far_ends_, interfaces_;
  std::map<std::pair<int, bool>, std::pair<std::size_t, std::size_t>> where_;
  Clock::time_point start_;
  Clock::duration made_within_{};
};

TEST(Snooping, SimulatorAndLiveSwitchDoWhatTheKernelDoes) {
  constexpr std::size_t kSites = 600, kAtOnce = 300;
  std::size_t played = 0, frames = 0, simulated = 0, copies = 0, withheld = 0;
  for (std::size_t round = 0; played < kSites && round < 4 * kSites / kAtOnce; ++round) {
    std::vector<Site> sites;
    for (std::uint64_t seed = played + 1; seed <= played + kAtOnce; ++seed) sites.push_back(make_site(seed));
    auto bed = TestBed::make();
    ASSERT_TRUE(bed.has_value()) << bed.error().what;
    Batch batch(std::move(*bed), std::move(sites));
    if (HasFatalFailure()) return;
    auto done = batch.play();
    if (HasFatalFailure()) return;
    if (!done) continue;
    played += kAtOnce;
    for (Site& site : *done) {
      play_models(site);
      for (std::size_t i = 0; i < site.steps.size(); ++i) {
        const Step& step = site.steps[i];
        ++frames;
        simulated += site.is_simulated;
        copies += static_cast<std::size_t>(std::popcount(step.kernel));
        withheld += step.does == Does::kPacket && step.kernel == 0;
        if ((!site.is_simulated || step.kernel == step.simulator) && step.kernel == step.live && !step.twice)
          continue;
        ADD_FAILURE() << describe(site, i);
        break;
      }
    }
  }
  EXPECT_EQ(played, kSites) << "the machine is too slow";
  EXPECT_GT(copies, frames / 2);
  EXPECT_GT(withheld, frames / 50);
  std::printf("%zu frames, %zu of them simulated, %zu copies, %zu packets withheld\n", frames, simulated,
              copies, withheld);
}

}  // namespace
}  // namespace sekimori::differential

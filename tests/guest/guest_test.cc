// The second oracle: what the kernel under the tests may lack. Debian's own kernel runs in an emulated
// machine, boots into init.cc, and plays random bridges with VLAN filtering, as tests/differential does with
// the kernel at hand, and stations behind them that have VLAN devices. Its answers are compared here with the
// simulator and with the live switch, copy by copy with their tags, and station by station. One boot for all,
// without KVM, which is not everywhere and not everywhere sound.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <sstream>

#include "base/random.h"
#include "lab/live_switch.h"
#include "model/builder.h"
#include "tests/differential/simulated.h"
#include "tests/guest/guest.h"
#include "tests/guest/replay.h"

namespace sekimori::guest {
namespace {

using differential::Simulated;
using lab::LiveSwitch;
using model::Mac;

constexpr std::size_t kSites = 600, kStationSites = 600, kBelowSites = 300, kMacs = 7;

struct Copy {
  std::size_t port;
  std::uint16_t tag;
  friend auto operator<=>(const Copy&, const Copy&) = default;
};
using Copies = std::vector<Copy>;

// A station: the NIC of a port, or its VLAN device.
struct Taker {
  std::size_t port;
  std::uint16_t vlan;
  friend auto operator<=>(const Taker&, const Taker&) = default;
};

struct Played {
  std::uint64_t seed;
  Site site{};
  model::Model model;
  std::vector<model::PortId> ports;
};

// ---------------------------------------------------------------- random bridges

Mac mac_of(std::size_t m) { return Mac{0x0200'0000'0000u + m}; }

void choose_vlans(Site& site, base::Random& random) {
  for (std::size_t p = 0; p < site.ports; ++p) {
    Port& port = site.port[p];
    const std::uint64_t kind = random.below(4);
    port.pvid = kind == 3 ? std::uint16_t{0} : kVlans[random.below(kVlans.size())];
    if (kind < 2) continue;  // access
    for (std::size_t v = 0; v < kVlans.size(); ++v) {
      if (kVlans[v] != port.pvid && random.below(2) == 0) port.tagged[v] = kVlans[v];
    }
  }
}

bool carries(const Port& port, std::uint16_t vlan) {
  return port.pvid == vlan || std::ranges::find(port.tagged, vlan) != std::end(port.tagged);
}

Site choose_site(std::uint64_t seed) {
  base::Random random(seed);
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  Site site{};
  site.has_interface = one_in(2);
  site.filters = !one_in(6);
  site.ports = static_cast<std::uint32_t>(2 + random.below(kPorts - 1));
  site.mac = mac_of(0).bits;
  site.learning = !one_in(8);
  site.ages_at_once = one_in(6);
  if (site.filters) choose_vlans(site, random);
  for (std::size_t p = 0; p < site.ports; ++p) {
    Port& port = site.port[p];
    const bool is_interface = p == 0 && site.has_interface;
    port.learning = is_interface || !one_in(5);
    port.floods_unknown = !is_interface && !one_in(5);
    port.isolated = !is_interface && one_in(4);
    port.hairpin = !is_interface && one_in(6);
  }
  for (std::size_t n = random.below(kStatics + 1); n > 0; --n) {
    const std::size_t port = site.has_interface + random.below(site.ports - site.has_interface),
                      mac = site.has_interface + random.below(kMacs - site.has_interface);
    const std::uint16_t vlan = site.filters ? kVlans[random.below(kVlans.size())] : std::uint16_t{1};
    // The kernel takes none for a VLAN that the port is no member of.
    if (site.filters && !carries(site.port[port], vlan)) continue;
    const bool is_known = std::ranges::any_of(
        site.statics, [&](const Static& s) { return s.mac == mac_of(mac).bits && s.vlan == vlan; });
    if (!is_known) site.statics[n - 1] = {mac_of(mac).bits, static_cast<std::uint16_t>(port), vlan};
  }
  for (Frame& frame : site.frames) {
    frame.port = static_cast<std::uint16_t>(random.below(site.ports));
    frame.destination = one_in(7) ? wire::kBroadcast.bits : mac_of(random.below(kMacs)).bits;
    const bool is_own = site.has_interface && frame.port == 0;
    frame.source = is_own ? site.mac : mac_of(random.below(kMacs)).bits;
    if (one_in(2)) frame.tag = one_in(6) ? std::uint16_t{40} : kVlans[random.below(kVlans.size())];
  }
  return site;
}

// How a station's frame gets its tags, and whom it is for.
void choose_frame(const Site& site, Frame& frame, base::Random& random) {
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  const Port& port = site.port[frame.port];
  const bool is_interface = site.has_interface && frame.port == 0;
  if (one_in(2)) {
    const std::size_t p = random.below(site.ports), v = random.below(kVlans.size());
    const bool is_own = (site.port[p].own_macs >> v & 1) != 0;
    frame.destination = is_own ? mac_of_vlan_device(p, v) : site.port[p].mac;
  }
  const std::size_t v = random.below(kVlans.size());
  if (!one_in(3) && (port.vlan_devices >> v & 1) != 0) {
    frame.sent = Sent::kByDevice;
    frame.tag = kVlans[v];
    frame.source = (port.own_macs >> v & 1) != 0 ? mac_of_vlan_device(frame.port, v) : port.mac;
    return;
  }
  if (one_in(3)) frame.source = is_interface ? site.mac : port.mac;
  if (one_in(4)) {
    frame.sent = Sent::kPriority;
    frame.tag = 0;
  } else if (frame.tag != 0 && one_in(2)) {
    frame.sent = Sent::kTwoTags;
    frame.inner = kVlans[v];
  }
}

// An interface with such an address is promiscuous, and then is handed up what comes in VLANs that it is no
// member of, which the model does not know (docs/kernel-differences.md).
void keep_to_its_vlans(Port& interface) {
  if (interface.own_macs == 0) return;
  for (std::size_t v = 0; v < kVlans.size(); ++v) {
    if (!carries(interface, kVlans[v])) interface.vlan_devices &= static_cast<std::uint8_t>(~(1u << v));
  }
  interface.own_macs &= interface.vlan_devices;
}

// The same bridges, with stations behind them that have VLAN devices.
Site choose_site_with_stations(std::uint64_t seed) {
  Site site = choose_site(seed);
  base::Random random(~seed);
  site.has_stations = true;
  for (std::size_t p = 0; p < site.ports; ++p) {
    site.port[p].mac = mac_of(p).bits;
    site.port[p].vlan_devices = static_cast<std::uint8_t>(random.below(1u << kVlans.size()));
    if (random.below(4) == 0)
      site.port[p].own_macs =
          static_cast<std::uint8_t>(site.port[p].vlan_devices & random.below(1u << kVlans.size()));
    if (p == 0 && site.has_interface && site.filters) keep_to_its_vlans(site.port[p]);
  }
  for (Frame& frame : site.frames) choose_frame(site, frame, random);
  return site;
}

// The same, and ports that are NICs with VLAN devices below the bridge.
Site choose_site_with_devices_below(std::uint64_t seed) {
  Site site = choose_site_with_stations(seed);
  base::Random random(seed << 20);
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  for (std::size_t p = site.has_interface; p < site.ports; ++p) {
    if (one_in(3)) continue;
    site.port[p].lower_devices = static_cast<std::uint8_t>(1 + random.below((1u << kVlans.size()) - 1));
    site.port[p].first_has_nics_mac = one_in(2);
  }
  for (Frame& frame : site.frames) {
    const std::size_t p = one_in(2) ? frame.port : random.below(site.ports), v = random.below(kVlans.size());
    const Port& port = site.port[p];
    if ((port.lower_devices >> v & 1) == 0) continue;
    const Mac device{mac_of_lower_device(p, v, port.first_has_nics_mac != 0)};
    if (one_in(3)) {
      frame = {frame.destination, device.bits, static_cast<std::uint16_t>(p), kVlans[v], 0, Sent::kFromBelow};
    } else if (one_in(2)) {
      // The bridge knows the addresses of its ports' NICs for its own, which the model does not: such a frame
      // must not get to it.
      const bool is_nics = device.bits == mac_of_lower_nic(p);
      if (!is_nics || (frame.port == p && frame.tag == kVlans[v])) frame.destination = device.bits;
    }
  }
  return site;
}

// Where stations are played, each has an address, and the NIC has its VLANs.
void add_addresses(model::Builder& builder, model::MachineId machine, model::StationId nic, const Port& port,
                   std::size_t p) {
  if (port.mac == 0) return;
  const auto give = [&](model::StationId station, std::uint32_t vlan) {
    builder.model()[station].ip = {
        model::Ipv4{0x0a00'0000u + (vlan << 16) + static_cast<std::uint32_t>(p) + 1}, 16};
  };
  give(nic, 0);
  for (std::size_t v = 0; v < kVlans.size(); ++v) {
    if ((port.vlan_devices >> v & 1) == 0) continue;
    const bool is_own = (port.own_macs >> v & 1) != 0;
    const auto station =
        builder.add_station(machine, fmt::format("e.{}", kVlans[v]),
                            Mac{is_own ? mac_of_vlan_device(p, v) : port.mac}, model::MacOrigin::kDeclared);
    give(station.value(), kVlans[v]);
  }
}

// A port that is a NIC of the bridge's machine, with VLAN devices.
model::PortId add_nic_with_devices(model::Builder& builder, model::MachineId machine, model::BridgeId bridge,
                                   const Port& port, std::size_t p) {
  const std::string name = fmt::format("p{}", p);
  const auto nic =
      builder.add_station(machine, name, Mac{mac_of_lower_nic(p)}, model::MacOrigin::kDeclared).value();
  for (std::size_t v = 0; v < kVlans.size(); ++v) {
    if ((port.lower_devices >> v & 1) == 0) continue;
    const Mac mac{mac_of_lower_device(p, v, port.first_has_nics_mac != 0)};
    const auto device =
        builder.add_station(machine, fmt::format("{}.{}", name, kVlans[v]), mac, model::MacOrigin::kDeclared);
    builder.model()[device.value()].ip = {
        model::Ipv4{0x0a00'0000u + (std::uint32_t{kVlans[v]} << 16) + 0x100 + static_cast<std::uint32_t>(p)},
        16};
  }
  return builder.enslave(nic, bridge).value();
}

Played make_site(std::uint64_t seed) {
  Played played{seed,
                seed > kSites + kStationSites ? choose_site_with_devices_below(seed)
                : seed > kSites               ? choose_site_with_stations(seed)
                                              : choose_site(seed),
                {},
                {}};
  const Site& site = played.site;
  model::Builder builder;
  const auto node = builder.add_machine("node", model::MachineKind::kHost).value();
  const auto bridge = builder.add_bridge("br", model::BridgeKind::kLinuxBridge, node).value();
  builder.model()[bridge].vlan_aware = site.filters;
  builder.model()[bridge].learning = site.learning;
  if (site.ages_at_once) builder.model()[bridge].ageing = base::Duration{0};
  for (std::size_t m = 0; m < kMacs; ++m) {
    const bool is_own = site.has_interface && m == 0;
    const auto machine =
        is_own ? node : builder.add_machine(fmt::format("h{}", m), model::MachineKind::kHost).value();
    const auto nic = builder.add_station(machine, "e", mac_of(m), model::MacOrigin::kDeclared).value();
    if (m >= site.ports) continue;  // of nobody
    add_addresses(builder, machine, nic, site.port[m], m);
    model::PortId id;
    if (is_own) {
      id = builder.attach(nic, bridge, model::PortRole::kHost).value();
    } else {
      id = site.port[m].lower_devices != 0 ? add_nic_with_devices(builder, node, bridge, site.port[m], m)
                                           : builder.bridge_port(bridge, std::to_string(m));
      EXPECT_TRUE(builder.connect(builder.wire_port(nic), id, model::Link{}).has_value());
    }
    played.ports.push_back(id);
    const Port& settings = site.port[m];
    model::VlanSet tagged;
    for (const std::uint16_t vlan : settings.tagged) {
      if (vlan != 0) tagged.set(vlan);
    }
    model::Port& port = builder.model()[id];
    if (site.filters) port.pvid = settings.pvid;
    port.tagged_vlans = builder.intern(tagged);
    port.learning = settings.learning;
    port.floods_unknown = settings.floods_unknown;
    port.isolated = settings.isolated;
    port.hairpin = settings.hairpin;
  }
  for (const Static& entry : site.statics) {
    if (entry.mac != 0)
      builder.model()[bridge].static_entries.push_back(
          {entry.vlan, Mac{entry.mac}, played.ports[entry.port]});
  }
  played.model = std::move(builder).finish();
  return played;
}

// ---------------------------------------------------------------- the answers

// What the kernel did with a frame.
struct Outcome {
  Copies copies;
  std::vector<Taker> takers;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read_outcome(const std::string& line) {
  Outcome outcome;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const bool is_taker = word.starts_with('+');
    const std::size_t dot = word.find('.'), port = std::stoul(word.substr(is_taker), nullptr, 16);
    const auto vlan = static_cast<std::uint16_t>(std::stoul(word.substr(dot + 1), nullptr, 16));
    if (is_taker) {
      outcome.takers.push_back({port, vlan});
    } else {
      outcome.copies.push_back({port, vlan});
    }
  }
  std::ranges::sort(outcome.copies);
  std::ranges::sort(outcome.takers);
  return outcome;
}

// ---------------------------------------------------------------- comparing

std::string text_of(const Copies& copies) {
  std::string text;
  for (const Copy& copy : copies) text += fmt::format(" {}/{}", copy.port, copy.tag);
  return text.empty() ? " -" : text;
}
std::string text_of(const std::vector<Taker>& takers) {
  std::string text = ", taken by";
  for (const Taker& taker : takers) text += fmt::format(" {}.{}", taker.port, taker.vlan);
  return takers.empty() ? "" : text;
}

std::string describe(const Played& played, std::size_t upto, const Outcome& real, const Outcome& predicted) {
  const Site& site = played.site;
  std::string text = fmt::format("seed {}:{}{}{}{}\n", played.seed, site.filters ? " filters VLANs" : "",
                                 site.has_interface ? ", port 0 is the bridge's own interface" : "",
                                 site.learning ? "" : ", no learning", site.ages_at_once ? ", ageing 0" : "");
  for (std::size_t p = 0; p < site.ports; ++p) {
    const Port& port = site.port[p];
    text += fmt::format(
        "  port {}: untagged {}, tagged {} {} {}{}{}{}{}, VLAN devices {:03b}, of which with own MAC "
        "{:03b}, below {:03b}{}\n",
        p, port.pvid, port.tagged[0], port.tagged[1], port.tagged[2], port.learning ? "" : ", learning off",
        port.floods_unknown ? "" : ", flood off", port.isolated ? ", isolated" : "",
        port.hairpin ? ", hairpin" : "", port.vlan_devices, port.own_macs, port.lower_devices,
        port.first_has_nics_mac != 0 ? ", the first with the NIC's MAC" : "");
  }
  for (const Static& s : site.statics) {
    if (s.mac != 0)
      text += fmt::format("  static {} in {} at port {}\n", wire::to_text(Mac{s.mac}), s.vlan, s.port);
  }
  static constexpr const char* kHow[] = {"tag", "by VLAN device", "with VID 0, tag", "with two tags",
                                         "from below, by VLAN device"};
  for (std::size_t i = 0; i <= upto; ++i) {
    const Frame& f = site.frames[i];
    text += fmt::format("  in {} {} -> {} {} {} {}\n", f.port, wire::to_text(Mac{f.source}),
                        wire::to_text(Mac{f.destination}), kHow[static_cast<std::size_t>(f.sent)], f.tag,
                        f.inner);
  }
  return text + "  kernel" + text_of(real.copies) + text_of(real.takers) + "\n  predicted" +
         text_of(predicted.copies) + text_of(predicted.takers) + "\n";
}

// A bridge in both of our ways: the bridge itself, or the VLAN devices below a port.
struct Both {
  Both(const model::Model& site, model::BridgeId bridge)
      : ports(site[bridge].ports), live(site, bridge), simulated(site, bridge) {}
  std::vector<model::PortId> ports;
  lab::LiveSwitch live;
  Simulated simulated;
};

// The bridge of a site, and what is below its ports.
struct World {
  explicit World(const Played& played) : model(played.model), bridge(model, model::BridgeId(0u)) {
    for (const model::PortId port : played.ports) {
      const model::PortId far = model::peer(model, port);
      const bool is_below = far.valid() && model[far].bridge.valid();
      below.push_back(is_below ? std::make_unique<Both>(model, model[far].bridge) : nullptr);
    }
  }
  const model::Model& model;
  Both bridge;
  std::vector<std::unique_ptr<Both>> below;  // by port
};

struct Passed {
  std::vector<LiveSwitch::Copy> copies;
  bool agrees = true;  // the simulator, by the number of copies at each port, and of those with a tag
};

Passed pass(Both& both, model::PortId in, const Frame& frame, std::uint16_t tag, base::Time now,
            const std::function<bool(model::PortId)>& leaves_out) {
  const Mac to{frame.destination}, from{frame.source};
  Passed passed{both.live.relay(in, {.destination = to, .source = from, .tag = tag, .bytes = 60}, now)};
  const auto sim = both.simulated.relay(in, {to, from, tag}, now);
  for (std::size_t p = 0; p < sim.size(); ++p) {
    if (leaves_out(both.ports[p])) continue;
    const auto here = [&](const auto& c) { return c.port == both.ports[p]; };
    const auto tagged_here = [&](const auto& c) { return here(c) && c.tag != 0; };
    passed.agrees &= sim[p].frames == std::ranges::count_if(passed.copies, here) &&
                     sim[p].tagged == std::ranges::count_if(passed.copies, tagged_here);
  }
  return passed;
}

// What our code does with a frame: the live switches say where it goes, and the simulator which stations take
// the copies. Where the first of two tags has been taken off, the second is what the station sees; where it
// has not, the second is behind what it sees.
class Prediction {
 public:
  Prediction(const Played& played, World& world, const Frame& frame, base::Time now)
      : played_(played), world_(world), frame_(frame), now_(now) {
    const std::size_t p = frame.port;
    Both* below = world.below[p].get();
    if (below == nullptr) {
      enter(p, frame.tag);
    } else {
      // The ports are the wire, the way up, and the devices'.
      const bool from_below = frame.sent == Sent::kFromBelow;
      go(p, *below, below->ports[from_below ? 2 : 0], frame.tag);
    }
    std::ranges::sort(outcome.copies);
    std::ranges::sort(outcome.takers);
  }
  Outcome outcome;
  bool agrees = true;

 private:
  std::uint16_t inner() const { return frame_.sent == Sent::kTwoTags ? frame_.inner : std::uint16_t{0}; }

  void go(std::size_t p, Both& below, model::PortId in, std::uint16_t tag) {
    const Passed passed = pass(below, in, frame_, tag, now_, [](model::PortId) { return false; });
    agrees &= passed.agrees;
    for (const auto& copy : passed.copies) {
      if (copy.port == below.ports[0]) leave(p, copy.tag, below.ports[0], below.simulated);
      if (copy.port == below.ports[1]) enter(p, copy.tag);
      if (copy.port == below.ports[2]) take(p + kPorts, copy.tag, copy.port, below.simulated);
    }
  }

  void enter(std::size_t p, std::uint16_t tag) {
    const auto leaves_out = [&](model::PortId port) { return port == played_.ports[0] && is_overhearing(); };
    const Passed passed = pass(world_.bridge, played_.ports[p], frame_, tag, now_, leaves_out);
    agrees &= passed.agrees;
    for (const auto& copy : passed.copies) {
      const auto out =
          static_cast<std::size_t>(std::ranges::find(played_.ports, copy.port) - played_.ports.begin());
      if (Both* below = world_.below[out].get(); below != nullptr)
        go(out, *below, below->ports[1], copy.tag);
      else
        leave(out, copy.tag, copy.port, world_.bridge.simulated);
    }
  }

  void leave(std::size_t p, std::uint16_t tag, model::PortId port, Simulated& simulated) {
    outcome.copies.push_back({p, tag != 0 ? tag : inner()});
    take(p, tag, port, simulated);
  }

  void take(std::size_t p, std::uint16_t tag, model::PortId port, Simulated& simulated) {
    if (!played_.site.has_stations || (tag != 0 && inner() != 0)) return;
    const std::uint16_t seen = tag != 0 ? tag : inner();
    for (const auto station :
         simulated.takers(model::peer(world_.model, port), Mac{frame_.destination}, seen))
      outcome.takers.push_back({p, world_.model[station].vlan});
  }

  bool is_overhearing() const { return played_.site.has_interface && played_.site.port[0].own_macs != 0; }

  const Played& played_;
  World& world_;
  const Frame& frame_;
  base::Time now_;
};

// An interface that is promiscuous hears what is for others, too, of which nobody takes anything: that is
// left out.
bool hears_everything(const Site& site, std::size_t port) {
  return port == 0 && site.has_interface && site.port[0].own_macs != 0;
}
void leave_out_what_is_only_heard(const Site& site, Outcome& outcome) {
  std::erase_if(outcome.copies, [&](const Copy& copy) { return hears_everything(site, copy.port); });
}

struct Compared {
  std::size_t copies = 0, takers = 0;
};

// Returns how many copies there were, and stations that took one; a difference ends it.
Compared compare(const Played& played, std::istream& answers) {
  World world(played);
  Compared compared;
  bool same = true;
  for (std::size_t i = 0; i < kFrames; ++i) {
    std::string line;
    std::getline(answers, line);
    if (!same) continue;  // the rest of the site's lines
    Outcome real = read_outcome(line);
    leave_out_what_is_only_heard(played.site, real);
    compared.copies += real.copies.size();
    compared.takers += real.takers.size();
    const Frame& frame = played.site.frames[i];
    const base::Time now = base::milliseconds(static_cast<std::int64_t>(i));
    Prediction predicted(played, world, frame, now);
    leave_out_what_is_only_heard(played.site, predicted.outcome);
    same = real == predicted.outcome && predicted.agrees;
    if (!same) ADD_FAILURE() << describe(played, i, real, predicted.outcome);
  }
  return compared;
}

TEST(GuestKernel, BridgesThatFilterVlansAndStationsWithVlanDevicesDoWhatTheSimulatorDoes) {
  std::vector<Played> sites;
  for (std::uint64_t seed = 1; seed <= kSites + kStationSites + kBelowSites; ++seed)
    sites.push_back(make_site(seed));
  std::string bytes;
  for (const Played& played : sites) bytes.append(reinterpret_cast<const char*>(&played.site), sizeof(Site));
  std::istringstream answers(Guest().play("sites", bytes));
  ASSERT_FALSE(HasFailure());
  Compared all, with_stations, with_devices_below;
  for (const Played& played : sites) {
    const Compared one = compare(played, answers);
    Compared& sum = played.seed > kSites + kStationSites ? with_devices_below
                    : played.site.has_stations           ? with_stations
                                                         : all;
    sum.copies += one.copies;
    sum.takers += one.takers;
  }
  EXPECT_EQ(answers.peek(), std::istringstream::traits_type::eof());
  EXPECT_GT(all.copies, kSites * kFrames / 2);  // something did happen
  EXPECT_GT(with_stations.takers, kStationSites * kFrames / 8);
  EXPECT_GT(with_devices_below.takers, kBelowSites * kFrames / 8);
  const auto tell = [](const char* what, std::size_t count, const Compared& sum) {
    std::printf("%s: %zu sites, %zu frames, %zu copies, %zu taken\n", what, count, count * kFrames,
                sum.copies, sum.takers);
  };
  tell("bridges", kSites, all);
  tell("with stations", kStationSites, with_stations);
  tell("with VLAN devices below", kBelowSites, with_devices_below);
}

}  // namespace
}  // namespace sekimori::guest

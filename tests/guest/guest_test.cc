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

constexpr std::size_t kSites = 600, kStationSites = 600, kMacs = 7;

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

Played make_site(std::uint64_t seed) {
  Played played{seed, seed > kSites ? choose_site_with_stations(seed) : choose_site(seed), {}, {}};
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
      id = builder.bridge_port(bridge, std::to_string(m));
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
        "{:03b}\n",
        p, port.pvid, port.tagged[0], port.tagged[1], port.tagged[2], port.learning ? "" : ", learning off",
        port.floods_unknown ? "" : ", flood off", port.isolated ? ", isolated" : "",
        port.hairpin ? ", hairpin" : "", port.vlan_devices, port.own_macs);
  }
  for (const Static& s : site.statics) {
    if (s.mac != 0)
      text += fmt::format("  static {} in {} at port {}\n", wire::to_text(Mac{s.mac}), s.vlan, s.port);
  }
  static constexpr const char* kHow[] = {"tag", "by VLAN device", "with VID 0, tag", "with two tags"};
  for (std::size_t i = 0; i <= upto; ++i) {
    const Frame& f = site.frames[i];
    text += fmt::format("  in {} {} -> {} {} {} {}\n", f.port, wire::to_text(Mac{f.source}),
                        wire::to_text(Mac{f.destination}), kHow[static_cast<std::size_t>(f.sent)], f.tag,
                        f.inner);
  }
  return text + "  kernel" + text_of(real.copies) + text_of(real.takers) + "\n  predicted" +
         text_of(predicted.copies) + text_of(predicted.takers) + "\n";
}

// What the live switch does with a frame, and which stations take the copies by the simulator. Where the
// first of two tags has been taken off, the second is what the station sees; where it has not, the second is
// behind what it sees.
Outcome predict(const Played& played, const Frame& frame, lab::LiveSwitch& live, Simulated& simulated,
                base::Time now) {
  Outcome outcome;
  const Mac to{frame.destination};
  const std::uint16_t inner = frame.sent == Sent::kTwoTags ? frame.inner : std::uint16_t{0};
  const LiveSwitch::Frame read{.destination = to, .source = Mac{frame.source}, .tag = frame.tag, .bytes = 60};
  for (const auto& copy : live.relay(played.ports[frame.port], read, now)) {
    const auto port =
        static_cast<std::size_t>(std::ranges::find(played.ports, copy.port) - played.ports.begin());
    const std::uint16_t seen = copy.tag != 0 ? copy.tag : inner;
    outcome.copies.push_back({port, seen});
    if (!played.site.has_stations || (copy.tag != 0 && inner != 0)) continue;
    for (const auto station : simulated.takers(model::peer(played.model, copy.port), to, seen))
      outcome.takers.push_back({port, played.model[station].vlan});
  }
  std::ranges::sort(outcome.copies);
  std::ranges::sort(outcome.takers);
  return outcome;
}

// An interface that is promiscuous hears what is for others, too, of which nobody takes anything: that is
// left out.
bool hears_everything(const Site& site, std::size_t port) {
  return port == 0 && site.has_interface && site.port[0].own_macs != 0;
}
void leave_out_what_is_only_heard(const Site& site, Outcome& outcome) {
  std::erase_if(outcome.copies, [&](const Copy& copy) { return hears_everything(site, copy.port); });
}

// Whether as many copies leave each port of the simulator's switch, and as many of them with a tag.
bool agrees(Simulated& simulated, const Played& played, const Frame& frame, const Copies& copies,
            base::Time now) {
  const auto sim =
      simulated.relay(played.ports[frame.port], {Mac{frame.destination}, Mac{frame.source}, frame.tag}, now);
  for (std::size_t p = 0; p < sim.size(); ++p) {
    if (hears_everything(played.site, p)) continue;
    const auto here = [&](const Copy& c) { return c.port == p; };
    const auto tagged_here = [&](const Copy& c) { return c.port == p && c.tag != 0; };
    if (sim[p].frames != std::ranges::count_if(copies, here)) return false;
    // Its frames have one tag at most.
    if (frame.sent != Sent::kTwoTags && sim[p].tagged != std::ranges::count_if(copies, tagged_here))
      return false;
  }
  return true;
}

struct Compared {
  std::size_t copies = 0, takers = 0;
};

// Returns how many copies there were, and stations that took one; a difference ends it.
Compared compare(const Played& played, std::istream& answers) {
  Simulated simulated(played.model, model::BridgeId(0u));
  lab::LiveSwitch live(played.model, model::BridgeId(0u));
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
    Outcome predicted = predict(played, frame, live, simulated, now);
    leave_out_what_is_only_heard(played.site, predicted);
    same = real == predicted && agrees(simulated, played, frame, real.copies, now);
    if (!same) ADD_FAILURE() << describe(played, i, real, predicted);
  }
  return compared;
}

TEST(GuestKernel, BridgesThatFilterVlansAndStationsWithVlanDevicesDoWhatTheSimulatorDoes) {
  std::vector<Played> sites;
  for (std::uint64_t seed = 1; seed <= kSites + kStationSites; ++seed) sites.push_back(make_site(seed));
  std::string bytes;
  for (const Played& played : sites) bytes.append(reinterpret_cast<const char*>(&played.site), sizeof(Site));
  std::istringstream answers(Guest().play("sites", bytes));
  ASSERT_FALSE(HasFailure());
  Compared all, with_stations;
  for (const Played& played : sites) {
    const Compared one = compare(played, answers);
    Compared& sum = played.site.has_stations ? with_stations : all;
    sum.copies += one.copies;
    sum.takers += one.takers;
  }
  EXPECT_EQ(answers.peek(), std::istringstream::traits_type::eof());
  EXPECT_GT(all.copies, kSites * kFrames / 2);  // something did happen
  EXPECT_GT(with_stations.takers, kStationSites * kFrames / 8);
  std::printf("%zu bridges, %zu frames, %zu copies; %zu with stations, %zu frames, %zu copies, %zu taken\n",
              kSites, kSites * kFrames, all.copies, kStationSites, kStationSites * kFrames,
              with_stations.copies, with_stations.takers);
}

}  // namespace
}  // namespace sekimori::guest

#include "lab/live.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <sstream>
#include <unordered_set>

#include "lab/live_bond.h"
#include "lab/live_switch.h"
#include "lab/live_tree.h"
#include "lab/suppression.h"
#include "switching/kinds.h"
#include "switching/spanning_tree.h"
#include "sys/link_watcher.h"
#include "sys/links.h"
#include "sys/namespaces.h"
#include "sys/packet_socket.h"
#include "wire/stp.h"

namespace sekimori::lab {
namespace {

using Bytes = std::span<const std::byte>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kAddressBytes = 12, kTagBytes = 4;
constexpr std::size_t kFramesPerTurn = 256;  // of one port, before the others have theirs
constexpr std::size_t kMostDelayedBytes = std::size_t{16} << 20;  // in a delay line
constexpr std::uint32_t kFirstWatch = 0x8000'0000u;               // of the poller's tokens, for links
constexpr std::size_t kLongestCopy = sys::kMostFrameBytes;

std::uint16_t read16(Bytes frame, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(frame[at]) << 8 |
                                    std::to_integer<unsigned>(frame[at + 1]));
}

bool is_tagged(Bytes frame) { return frame.size() >= 18 && read16(frame, kAddressBytes) == 0x8100; }

std::uint32_t read32(Bytes frame, std::size_t at) {
  return std::uint32_t{read16(frame, at)} << 16 | read16(frame, at + 2);
}

wire::Bytes octets_of(Bytes bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

LiveSwitch::Frame read_frame(Bytes bytes) {
  const auto* octets = reinterpret_cast<const std::uint8_t*>(bytes.data());
  LiveSwitch::Frame frame{.destination = model::Mac::from_octets(octets),
                          .source = model::Mac::from_octets(octets + 6),
                          .bytes = static_cast<std::uint32_t>(bytes.size())};
  if (is_tagged(bytes)) frame.tag = read16(bytes, 14) & 0xfff;
  const std::size_t type = kAddressBytes + (is_tagged(bytes) ? kTagBytes : 0);
  frame.is_arp = read16(bytes, type) == 0x0806;
  constexpr std::size_t kIpAddresses = 2 + 12;  // behind the EtherType
  if (read16(bytes, type) == 0x0800 && bytes.size() >= type + kIpAddresses + 8) {
    frame.source_ip = read32(bytes, type + kIpAddresses);
    frame.destination_ip = read32(bytes, type + kIpAddresses + 4);
  }
  return frame;
}

// What of a BPDU comes behind the LLC header; empty: it is none.
wire::Bytes bpdu_in(Bytes frame) {
  constexpr std::size_t kHeaders = 17, kLeastLength = 3 + 4;
  if (frame.size() < kHeaders || read16(frame, 14) != 0x4242 || frame[16] != std::byte{3}) return {};
  const auto* octets = reinterpret_cast<const std::uint8_t*>(frame.data());
  const std::size_t length = read16(frame, kAddressBytes);  // with LLC
  if (model::Mac::from_octets(octets) != wire::kStpGroup || length < kLeastLength) return {};
  return {octets + kHeaders, std::min(length - 3, frame.size() - kHeaders)};
}

// The frame with another tag, or without one. `scratch` holds it where it differs.
Bytes with_tag(Bytes frame, std::uint16_t from, std::uint16_t to,
               std::array<std::byte, kLongestCopy>& scratch) {
  if (from == to) return frame;
  const std::size_t skip = kAddressBytes + (is_tagged(frame) ? kTagBytes : 0);
  std::size_t at = kAddressBytes;
  std::memcpy(scratch.data(), frame.data(), kAddressBytes);
  if (to != 0) {
    const std::byte tag[] = {std::byte{0x81}, std::byte{0}, static_cast<std::byte>(to >> 8),
                             static_cast<std::byte>(to & 0xff)};
    std::memcpy(&scratch[at], tag, kTagBytes);
    at += kTagBytes;
  }
  const std::size_t rest = std::min(frame.size() - skip, scratch.size() - at);
  std::memcpy(&scratch[at], frame.data() + skip, rest);
  return Bytes(scratch).first(at + rest);
}

struct LivePort {
  sys::PacketSocket socket;
  LiveSwitch* bridge = nullptr;  // of a switch,
  LiveTree* tree = nullptr;      // which may have one,
  LiveBond* bond = nullptr;      // or of a bond
  model::PortId port{};
  std::uint32_t line = kNone;  // or of a delay line: frames that come in here leave at `to`
  std::uint32_t to = kNone;
  std::uint32_t junction = kNone;  // or of a junction: a place of it, or the leg of a VLAN
  std::uint32_t place = kNone;
  std::uint16_t vlan = 0;
};

struct LiveJunction {
  std::vector<std::uint32_t> places, legs;  // of the ports
  std::size_t place = 0;                    // that is plugged in
};

struct DelayLine {
  base::Duration delay;
  struct Waiting {
    base::Time due;
    std::vector<std::byte> bytes;
  };
  std::deque<Waiting> queue;
  std::size_t bytes = 0;
  std::uint32_t to = kNone;
};

class Live {
 public:
  Live(const model::Model& site, const Plan& plan) : site_(site), plan_(plan) {}

  base::Result<void> open() {
    auto poller = sys::Poller::make();
    if (!poller) return std::unexpected(poller.error());
    poller_.emplace(std::move(*poller));
    by_model_port_.assign(site_.ports.size(), kNone);
    for (const PlannedBridge& bridge : plan_.bridges) {
      if (!bridge.live()) continue;
      const bool is_bond = site_[bridge.bridge].kind == model::BridgeKind::kBond;
      if (!is_bond) {
        switches_.push_back(std::make_unique<LiveSwitch>(site_, bridge.bridge));
        bridges_.push_back(bridge.bridge);
      }
      for (const model::PortId port : site_[bridge.bridge].ports) {
        const Device& device = plan_.ports[port.index()];
        if (!device.built()) continue;
        by_model_port_[port.index()] = static_cast<std::uint32_t>(ports_.size());
        if (auto added = add_port(device, is_shaped(port)); !added) return added;
        if (!is_bond) ports_.back().bridge = switches_.back().get();
        ports_.back().port = port;
      }
    }
    for (const PlannedLink& link : plan_.links) {
      if (!link.delayed) continue;
      if (auto added = add_delay(link); !added) return added;
    }
    for (const Junction& junction : plan_.junctions) {
      if (auto added = add_junction(junction); !added) return added;
    }
    for (std::uint32_t i = 0; i < ports_.size(); ++i) {
      if (auto added = poller_->add(ports_[i].socket.fd(), i); !added) return added;
    }
    if (auto begun = begin_trees(); !begun) return begun;
    if (auto begun = begin_bonds(); !begun) return begun;
    return listen();
  }

  void run() {
    while (go_on_) {
      poller_->wait(patience(), [this](std::uint32_t token) {
        if (token == kNone) {
          go_on_ = service_->serve([this](std::string_view word) { return answer(word); });
        } else if (token >= kFirstWatch) {
          look_at_links(*watched_[token - kFirstWatch]);
        } else {
          turn(ports_[token]);
        }
      });
      release();
      for (const auto& played : watched_) {
        if (played->tree && played->tree->next_due() <= now()) played->tree->on_time(now());
        if (played->bond && played->bond->next_due() <= now()) played->bond->on_time(now());
      }
      for (LivePort& port : ports_) port.socket.flush();
      if (now() - looked_ > base::seconds(1)) look_around();
    }
  }

 private:
  base::Time now() const { return std::chrono::duration_cast<base::Time>(Clock::now() - start_); }

  bool is_shaped(model::PortId port) const { return site_[site_[port].link].rate < kShapedBelow; }

  base::Result<void> add_port(const Device& device, bool shaped) {
    auto space = sys::Namespace::open(plan_.namespace_of(device.space));
    if (!space) return std::unexpected(space.error());
    auto inside = sys::InNamespace::enter(*space);
    if (!inside) return std::unexpected(inside.error());
    auto socket = sys::PacketSocket::open(device.name, {.promiscuous = true, .bypass_qdisc = !shaped});
    if (!socket) return std::unexpected(socket.error());
    ports_.push_back({.socket = std::move(*socket)});
    return {};
  }

  base::Result<void> add_delay(const PlannedLink& link) {
    const auto a = static_cast<std::uint32_t>(ports_.size());
    for (const Device& device : {link.relay_a, link.relay_b}) {
      if (auto added = add_port(device, false); !added) return added;
      ports_.back().line = static_cast<std::uint32_t>(lines_.size());
      ports_.back().to = device.name == link.relay_a.name ? a + 1 : a;
      lines_.push_back({.delay = site_[link.link].delay, .queue = {}, .to = ports_.back().to});
    }
    return {};
  }

  base::Result<void> add_junction(const Junction& junction) {
    const auto number = static_cast<std::uint32_t>(junctions_.size());
    LiveJunction& made = junctions_.emplace_back();
    for (const model::PortId place : junction.places) {
      const bool shaped = site_[place].link.valid() && is_shaped(place);
      if (auto added = add_port(plan_.ports[place.index()], shaped); !added) return added;
      ports_.back().junction = number;
      ports_.back().place = static_cast<std::uint32_t>(made.places.size());
      made.places.push_back(static_cast<std::uint32_t>(ports_.size() - 1));
    }
    for (const Junction::Leg& leg : junction.legs) {
      if (auto added = add_port(leg.here, false); !added) return added;
      ports_.back().junction = number;
      ports_.back().vlan = site_[leg.station].vlan;
      made.legs.push_back(static_cast<std::uint32_t>(ports_.size() - 1));
    }
    return {};
  }

  base::Result<void> listen() {
    home_ = plan_.namespace_of(plan_.bridges.empty() ? 0 : first_live_space());
    auto space = sys::Namespace::open(home_);
    if (!space) return std::unexpected(space.error());
    auto inside = sys::InNamespace::enter(*space);
    if (!inside) return std::unexpected(inside.error());
    auto service = sys::ServiceSocket::listen(kLiveService);
    if (!service) return std::unexpected(service.error());
    service_.emplace(std::move(*service));
    return poller_->add(service_->fd(), kNone);
  }

  SpaceIndex first_live_space() const {
    for (const PlannedBridge& bridge : plan_.bridges) {
      if (bridge.live()) return bridge.space;
    }
    for (const PlannedLink& link : plan_.links) {
      if (link.delayed) return link.relay_a.space;
    }
    return plan_.junctions.empty() ? 0 : plan_.junctions.front().legs.front().here.space;
  }

  // ---------------------------------------------------------------- spanning trees and bonds

  // A switch or bond that minds the carriers of its ports.
  struct Watched {
    model::BridgeId bridge;
    sys::LinkWatcher watcher;
    sys::Links links;
    std::unique_ptr<LiveTree> tree;  // one of the two
    std::unique_ptr<LiveBond> bond;
  };

  base::Result<void> begin_trees() {
    std::vector<bool> link_up;
    for (const model::Link& link : site_.links) link_up.push_back(link.up);
    for (const model::PortId port : switching::shut_by_guards(site_, link_up)) shut(port);
    const auto settled = switching::settled_tree(site_, link_up);
    for (std::size_t b = 0; b < bridges_.size(); ++b) {
      if (!site_[bridges_[b]].stp) continue;
      auto played = watch(bridges_[b]);
      if (!played) return std::unexpected(played.error());
      (*played)->tree = std::make_unique<LiveTree>(site_, plan_, bridges_[b], *switches_[b], sender());
      for (LivePort& port : ports_) {
        if (port.bridge == switches_[b].get()) port.tree = (*played)->tree.get();
      }
      const auto carriers = carriers_of(**played);
      if (!carriers) return std::unexpected(carriers.error());
      (*played)->tree->settle(settled, [&](model::PortId port) { return carriers->contains(port); }, now());
    }
    return {};
  }

  base::Result<void> begin_bonds() {
    for (const PlannedBridge& bridge : plan_.bridges) {
      if (!bridge.live() || site_[bridge.bridge].kind != model::BridgeKind::kBond) continue;
      auto played = watch(bridge.bridge);
      if (!played) return std::unexpected(played.error());
      const auto carriers = carriers_of(**played);
      if (!carriers) return std::unexpected(carriers.error());
      const auto is_up = [&](model::PortId port) { return carriers->contains(port); };
      (*played)->bond = std::make_unique<LiveBond>(site_, bridge.bridge, is_up, sender());
      for (const model::PortId port : site_[bridge.bridge].ports) {
        if (const std::uint32_t at = by_model_port_[port.index()]; at != kNone)
          ports_[at].bond = (*played)->bond.get();
      }
    }
    return {};
  }

  std::function<void(model::PortId, Bytes)> sender() {
    return [this](model::PortId port, Bytes frame) {
      if (const std::uint32_t at = by_model_port_[port.index()]; at != kNone) ports_[at].socket.queue(frame);
    };
  }

  base::Result<Watched*> watch(model::BridgeId id) {
    auto space = sys::Namespace::open(plan_.namespace_of(plan_.bridges[id.index()].space));
    if (!space) return std::unexpected(space.error());
    auto watcher = sys::LinkWatcher::open(*space);
    if (!watcher) return std::unexpected(watcher.error());
    auto links = sys::Links::open(*space);
    if (!links) return std::unexpected(links.error());
    const auto token = static_cast<std::uint32_t>(kFirstWatch + watched_.size());
    if (auto added = poller_->add(watcher->fd(), token); !added) return std::unexpected(added.error());
    watched_.push_back(
        std::make_unique<Watched>(Watched{id, std::move(*watcher), std::move(*links), nullptr, nullptr}));
    return watched_.back().get();
  }

  base::Result<std::unordered_set<model::PortId>> carriers_of(Watched& played) {
    const auto list = played.links.list();
    if (!list) return std::unexpected(list.error());
    std::unordered_set<std::string> devices;
    for (const sys::LinkState& link : *list) {
      if (link.up && link.carrier) devices.insert(link.name);
    }
    std::unordered_set<model::PortId> ports;
    for (const model::PortId port : site_[played.bridge].ports) {
      if (devices.contains(plan_.ports[port.index()].name)) ports.insert(port);
    }
    return ports;
  }

  void look_at_links(Watched& played) {
    played.watcher.take();
    const auto carriers = carriers_of(played);
    if (!carriers) return;
    for (const model::PortId port : site_[played.bridge].ports) {
      if (played.tree) played.tree->set_carrier(port, carriers->contains(port), now());
      if (played.bond) played.bond->set_carrier(port, carriers->contains(port));
    }
  }

  // By a BPDU guard, until somebody opens the port by hand.
  void shut(model::PortId port) const {
    const Device& device = plan_.ports[port.index()];
    if (by_model_port_[port.index()] == kNone) return;
    auto space = sys::Namespace::open(plan_.namespace_of(device.space));
    if (!space) return;
    if (auto links = sys::Links::open(*space)) [[maybe_unused]]
      const auto done = links->set_up(device.name, false);
  }

  void receive_bpdu(LivePort& in, Bytes frame, wire::Bytes bpdu) {
    if (site_[in.port].bpdu_filter) return;
    if (site_[in.port].bpdu_guard) return shut(in.port);
    if (in.tree != nullptr) return in.tree->receive(in.port, bpdu, now());
    const model::Bridge& bridge = site_[site_[in.port].bridge];
    if (!switching::relays_bpdus(bridge.kind)) return;
    for (const model::PortId out : bridge.ports) {
      const std::uint32_t to = by_model_port_[out.index()];
      if (out != in.port && to != kNone && !site_[out].bpdu_filter) ports_[to].socket.queue(frame);
    }
  }

  // ---------------------------------------------------------------- frames

  void turn(LivePort& port) {
    port.socket.receive(kFramesPerTurn, [&](int, std::span<std::byte> frame) {
      if (port.bridge != nullptr) {
        relay(port, frame);
      } else if (port.bond != nullptr) {
        port.bond->receive(port.port, frame);
      } else if (port.line != kNone) {
        hold(lines_[port.line], frame);
      } else {
        pass(port, frame);
      }
    });
  }

  void relay(LivePort& port, Bytes bytes) {
    // A macvlan device takes them for what they are to it: frames to a group.
    const bool looks = site_[site_[port.port].bridge].kind != model::BridgeKind::kMacvlan;
    if (const wire::Bytes bpdu = bpdu_in(bytes); looks && !bpdu.empty())
      return receive_bpdu(port, bytes, bpdu);
    LiveSwitch::Frame frame = read_frame(bytes);
    if (port.bridge->suppresses()) frame.about = read_about(octets_of(bytes));
    for (const LiveSwitch::Copy& copy : port.bridge->relay(port.port, frame, now())) {
      const std::uint32_t out = by_model_port_[copy.port.index()];
      if (out != kNone) ports_[out].socket.queue(with_tag(bytes, frame.tag, copy.tag, scratch_));
    }
    if (const auto mac = port.bridge->answer()) {  // back out of the port that the question came in at
      write_answer(octets_of(bytes), *mac, answer_);
      port.socket.queue(std::as_bytes(std::span(answer_)));
    }
  }

  // From the machine to where it is plugged in, with the tag of the NIC's VLAN; and back, without.
  void pass(const LivePort& port, Bytes frame) {
    const LiveJunction& junction = junctions_[port.junction];
    const std::uint16_t tag = is_tagged(frame) ? read16(frame, 14) & 0xfff : 0;
    if (port.place == kNone) {
      const std::uint32_t out = junction.places[junction.place];
      if (port.vlan == 0 || tag == 0)
        ports_[out].socket.queue(with_tag(frame, tag, tag | port.vlan, scratch_));
      return;
    }
    if (port.place != junction.place) return;
    for (const std::uint32_t leg : junction.legs) {
      if (ports_[leg].vlan == tag) ports_[leg].socket.queue(with_tag(frame, tag, 0, scratch_));
    }
  }

  // "move 3 1": the junction's number, and that of the place.
  void move(std::string_view words) {
    std::size_t number = 0, place = 0;
    std::istringstream numbers{std::string(words)};
    if (numbers >> number >> place && number < junctions_.size() && place < junctions_[number].places.size())
      junctions_[number].place = place;
  }

  void hold(DelayLine& line, Bytes frame) {
    if (line.bytes + frame.size() > kMostDelayedBytes) return;
    line.bytes += frame.size();
    line.queue.push_back({now() + line.delay, {frame.begin(), frame.end()}});
  }

  // What has waited long enough goes on.
  void release() {
    for (DelayLine& line : lines_) {
      while (!line.queue.empty() && line.queue.front().due <= now()) {
        ports_[line.to].socket.queue(line.queue.front().bytes);
        line.bytes -= line.queue.front().bytes.size();
        line.queue.pop_front();
      }
    }
  }

  std::chrono::nanoseconds patience() {
    base::Duration least = base::seconds(1);
    for (const auto& played : watched_) {
      const base::Time due = played->tree ? played->tree->next_due() : played->bond->next_due();
      if (due != base::kNever) least = std::min(least, due - now());
    }
    for (const DelayLine& line : lines_) {
      if (!line.queue.empty()) least = std::min(least, line.queue.front().due - now());
    }
    return std::chrono::ceil<std::chrono::nanoseconds>(std::max(least, base::Duration{0}));
  }

  // A lab that was removed without asking leaves nothing to do here.
  void look_around() {
    looked_ = now();
    go_on_ = go_on_ && sys::namespace_exists(home_);
  }

  std::string answer(std::string_view word) {
    std::string text;
    if (word.starts_with("move ")) move(word.substr(5));
    for (LiveJunction& junction : junctions_) {
      if (word == "home") junction.place = 0;
    }
    for (const auto& played : watched_) {
      if (word == "tree" && played->tree) text += played->tree->text();
    }
    for (std::size_t b = 0; b < switches_.size(); ++b) {
      if (word == "flush") switches_[b]->flush();
      if (word != "table") continue;
      for (const LiveSwitch::Entry& entry : switches_[b]->table(now())) {
        text += fmt::format("{} {} {} {} {}\n", bridges_[b].value, entry.port.value, entry.vlan,
                            wire::to_text(entry.mac),
                            entry.is_static ? "-" : fmt::format("{:.3f}", base::to_seconds(entry.unheard)));
      }
    }
    return word == "table" || word == "tree" ? text : "ok\n";
  }

  const model::Model& site_;
  const Plan& plan_;
  const Clock::time_point start_ = Clock::now();
  std::optional<sys::Poller> poller_;
  std::optional<sys::ServiceSocket> service_;
  std::string home_;
  std::vector<std::unique_ptr<LiveSwitch>> switches_;
  std::vector<model::BridgeId> bridges_;  // of the switches
  std::vector<LivePort> ports_;
  std::vector<std::uint32_t> by_model_port_;
  std::vector<DelayLine> lines_;
  std::vector<LiveJunction> junctions_;
  std::vector<std::unique_ptr<Watched>> watched_;
  std::array<std::byte, kLongestCopy> scratch_;
  wire::Buffer answer_;
  base::Time looked_{0};
  bool go_on_ = true;
};

}  // namespace

void run_live(const model::Model& site, const Plan& plan, const sys::Ready& ready) {
  Live live(site, plan);
  const auto opened = live.open();
  ready(opened);
  if (opened) live.run();
}

}  // namespace sekimori::lab

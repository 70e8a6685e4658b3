#include "lab/live.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>

#include "lab/live_bond.h"
#include "lab/live_cables.h"
#include "lab/live_frames.h"
#include "lab/live_querier.h"
#include "lab/live_shared.h"
#include "lab/live_switch.h"
#include "lab/suppression.h"
#include "model/multicast.h"
#include "switching/kinds.h"
#include "switching/spanning_tree.h"
#include "sys/links.h"
#include "sys/namespaces.h"
#include "sys/packet_socket.h"

namespace sekimori::lab {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kFramesPerTurn = 256;  // of one port, before the others have theirs
constexpr std::size_t kMostDelayedBytes = std::size_t{16} << 20;  // in a delay line
constexpr std::uint32_t kFirstWatch = 0x8000'0000u;               // of the poller's tokens, for switches
constexpr std::uint32_t kSharedWatch = kNone - 1;                 // and for the members of shared addresses

wire::Bytes octets_of(FrameBytes bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

struct LivePort {
  sys::PacketSocket socket;
  LiveSwitch* bridge = nullptr;  // of a switch, by its number
  std::size_t number = 0;
  LiveBond* bond = nullptr;  // or of a bond
  model::PortId port{};
  std::uint32_t line = kNone;  // or of a delay line: frames that come in here leave at `to`
  std::uint32_t to = kNone;
  std::uint32_t junction = kNone;  // or of a junction: a place of it, or the leg of a VLAN
  std::uint32_t place = kNone;
  std::uint16_t vlan = 0;
  model::StationId leg{};
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
        ports_.back().port = port;
        if (is_bond) continue;
        ports_.back().bridge = switches_.back().get();
        ports_.back().number = switches_.size() - 1;
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
    if (auto opened = open_cables(); !opened) return opened;
    if (auto opened = open_bonds(); !opened) return opened;
    open_queriers();
    if (auto begun = begin_shared(); !begun) return begun;
    return listen();
  }

  void run() {
    while (go_on_) {
      poller_->wait(patience(), [this](std::uint32_t token) {
        if (token == kNone) {
          go_on_ = service_->serve([this](std::string_view word) { return answer(word); });
        } else if (token == kSharedWatch) {
          shared_->look_at_cables();
        } else if (token >= kFirstWatch) {
          look_at(token - kFirstWatch);
        } else {
          turn(ports_[token]);
        }
      });
      release();
      for (LiveCables& cables : cables_) {
        if (cables.next_due() <= now()) cables.on_time(now());
      }
      for (WatchedBond& bond : bonds_) {
        if (bond.bond->next_due() <= now()) bond.bond->on_time(now());
      }
      if (shared_ && shared_->next_due() <= now()) shared_->on_time(now());
      for (LiveQuerier& querier : queriers_) {
        if (querier.next_due() <= now()) querier.on_time(now());
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
      ports_.back().leg = leg.station;
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

  // ---------------------------------------------------------------- cables and spanning trees

  base::Result<void> open_cables() {
    std::vector<bool> link_up;
    for (const model::Link& link : site_.links) link_up.push_back(link.up);
    for (const model::PortId port : switching::shut_by_guards(site_, link_up)) shut(port);
    const auto settled = switching::settled_tree(site_, link_up);
    for (std::size_t b = 0; b < bridges_.size(); ++b) {
      auto cables = LiveCables::open(site_, plan_, bridges_[b], *switches_[b], sender());
      if (!cables) return std::unexpected(cables.error());
      const auto token = static_cast<std::uint32_t>(kFirstWatch + b);
      if (auto added = poller_->add(cables->watch_fd(), token); !added) return added;
      cables_.push_back(std::move(*cables));
      cables_.back().look(now());
      if (site_[bridges_[b]].stp) cables_.back().begin_tree(settled, now());
    }
    return {};
  }

  std::function<void(model::PortId, FrameBytes)> sender() {
    return [this](model::PortId port, FrameBytes frame) {
      if (const std::uint32_t at = by_model_port_[port.index()]; at != kNone) ports_[at].socket.queue(frame);
    };
  }

  void open_queriers() {
    for (std::size_t b = 0; b < bridges_.size(); ++b) {
      const model::BridgeId id = bridges_[b];
      if (!site_[id].querier) continue;
      const model::Mac mac = model::own_address(site_, id).value_or(plan_.bridges[id.index()].mac);
      queriers_.emplace_back(site_, id, mac, *switches_[b], [this](LiveSwitch::Copy out, FrameBytes frame) {
        if (const std::uint32_t at = by_model_port_[out.port.index()]; at != kNone)
          ports_[at].socket.queue(with_tag(frame, 0, out.tag, scratch_));
      });
      queriers_.back().begin(now());
    }
  }

  struct WatchedBond {
    model::BridgeId id;
    CableWatch watch;
    std::unique_ptr<LiveBond> bond;
  };

  base::Result<void> open_bonds() {
    for (const PlannedBridge& bridge : plan_.bridges) {
      const model::BridgeId id = bridge.bridge;
      if (!bridge.live() || site_[id].kind != model::BridgeKind::kBond) continue;
      auto watch = CableWatch::open(site_, plan_, id);
      if (!watch) return std::unexpected(watch.error());
      const auto carriers = watch->carriers();
      if (!carriers) return std::unexpected(carriers.error());
      const auto token = static_cast<std::uint32_t>(kFirstWatch + cables_.size() + bonds_.size());
      if (auto added = poller_->add(watch->fd(), token); !added) return added;
      const auto is_up = [&](model::PortId port) { return carriers->contains(port); };
      bonds_.push_back({id, std::move(*watch), std::make_unique<LiveBond>(site_, id, is_up, sender())});
      for (const model::PortId port : site_[id].ports) {
        if (const std::uint32_t at = by_model_port_[port.index()]; at != kNone)
          ports_[at].bond = bonds_.back().bond.get();
      }
    }
    return {};
  }

  void look_at(std::size_t number) {
    if (number < cables_.size()) return cables_[number].look(now());
    WatchedBond& watched = bonds_[number - cables_.size()];
    const auto carriers = watched.watch.carriers();
    if (!carriers) return;
    for (const model::PortId port : site_[watched.id].ports)
      watched.bond->set_carrier(port, carriers->contains(port));
  }

  // "set 3 0 5000".
  void set(std::string_view words) {
    std::size_t bridge = 0, option = 0;
    std::int64_t value = 0;
    std::istringstream numbers{std::string(words)};
    if (!(numbers >> bridge >> option >> value) ||
        option > static_cast<std::size_t>(model::BridgeOption::kStp))
      return;
    const auto at = std::ranges::find(bridges_, model::BridgeId(bridge));
    if (at == bridges_.end()) return;
    const auto number = static_cast<std::size_t>(at - bridges_.begin());
    switches_[number]->set(static_cast<model::BridgeOption>(option), value);
    if (static_cast<model::BridgeOption>(option) == model::BridgeOption::kStp)
      cables_[number].switch_tree(value != 0, now());
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

  void receive_bpdu(LivePort& in, FrameBytes frame, wire::Bytes bpdu) {
    if (site_[in.port].bpdu_filter) return;
    if (site_[in.port].bpdu_guard) return shut(in.port);
    if (LiveTree* tree = cables_[in.number].tree(); tree != nullptr)
      return tree->receive(in.bridge->group_of(in.port), bpdu, now());
    const model::Bridge& bridge = site_[site_[in.port].bridge];
    if (!switching::relays_bpdus(bridge.kind)) return;
    for (const model::PortId out : bridge.ports) {
      const std::uint32_t to = by_model_port_[out.index()];
      const bool is_other = in.bridge->group_of(out) == out && out != in.bridge->group_of(in.port);
      if (is_other && to != kNone && !site_[out].bpdu_filter)
        ports_[by_model_port_[in.bridge->any_member(out).index()]].socket.queue(frame);
    }
  }

  // ---------------------------------------------------------------- shared addresses

  base::Result<void> begin_shared() {
    if (site_.shared.empty() || plan_.junctions.empty()) return {};
    const auto send = [this](model::StationId nic, FrameBytes frame) {
      for (const LivePort& port : ports_) {
        if (port.leg != nic) continue;
        const LiveJunction& junction = junctions_[port.junction];
        ports_[junction.places[junction.place]].socket.queue(frame);
      }
    };
    auto shared = LiveShared::open(site_, plan_, send, now());
    if (!shared) return std::unexpected(shared.error());
    shared_.emplace(std::move(*shared));
    return poller_->add(shared_->watch_fd(), kSharedWatch);
  }

  // "machine 3 1": the machine has been switched on.
  void set_running(std::string_view words) {
    std::size_t machine = 0;
    bool running = false;
    std::istringstream numbers{std::string(words)};
    if (shared_ && numbers >> machine >> running && machine < site_.machines.size())
      shared_->set_running(model::MachineId(machine), running, now());
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

  void relay(LivePort& port, FrameBytes bytes) {
    // A macvlan device takes them for what they are to it: frames to a group.
    const bool looks = site_[site_[port.port].bridge].kind != model::BridgeKind::kMacvlan;
    if (const wire::Bytes bpdu = bpdu_in(bytes); looks && !bpdu.empty())
      return receive_bpdu(port, bytes, bpdu);
    LiveSwitch::Frame frame = read_frame(bytes);
    if (frame.is_beacon && cables_[port.number].hear_beacon(port.port, frame)) return;
    if (port.bridge->snooping() != nullptr) read_group(bytes, frame);
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
  void pass(const LivePort& port, std::span<std::byte> frame) {
    const LiveJunction& junction = junctions_[port.junction];
    const std::uint16_t tag = tag_of(frame);
    if (port.place == kNone) {
      if (const model::Station& nic = site_[port.leg]; nic.hides_its_mac()) mask(frame, nic.source);
      const std::uint32_t out = junction.places[junction.place];
      if (port.vlan == 0 || tag == 0)
        ports_[out].socket.queue(with_tag(frame, tag, tag | port.vlan, scratch_));
      return;
    }
    if (port.place != junction.place) return;
    for (const std::uint32_t leg : junction.legs) {
      if (ports_[leg].vlan != tag) continue;
      if (shared_) shared_->hear(ports_[leg].leg, frame, now());
      if (!shared_ || shared_->gets(ports_[leg].leg, frame))
        ports_[leg].socket.queue(with_tag(frame, tag, 0, scratch_));
    }
  }

  static void mask(std::span<std::byte> frame, model::Mac source) {
    const auto octets = source.octets();
    std::memcpy(&frame[6], octets.data(), octets.size());
  }

  // "move 3 1": the junction's number, and that of the place.
  void move(std::string_view words) {
    std::size_t number = 0, place = 0;
    std::istringstream numbers{std::string(words)};
    if (numbers >> number >> place && number < junctions_.size() && place < junctions_[number].places.size())
      junctions_[number].place = place;
  }

  void hold(DelayLine& line, FrameBytes frame) {
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
    for (const LiveCables& cables : cables_) {
      if (cables.next_due() != base::kNever) least = std::min(least, cables.next_due() - now());
    }
    for (const WatchedBond& bond : bonds_) {
      if (bond.bond->next_due() != base::kNever) least = std::min(least, bond.bond->next_due() - now());
    }
    if (shared_ && shared_->next_due() != base::kNever) least = std::min(least, shared_->next_due() - now());
    for (const LiveQuerier& querier : queriers_) least = std::min(least, querier.next_due() - now());
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
    if (word.starts_with("set ")) set(word.substr(4));
    if (word.starts_with("machine ")) set_running(word.substr(8));
    if (word == "begin" && shared_) shared_->settle(now());
    for (LiveQuerier& querier : queriers_) {
      if (word == "begin") querier.begin(now());
      if (word == "flush") querier.pause(now());
    }
    if (word == "look") {
      for (std::size_t n = 0; n < cables_.size() + bonds_.size(); ++n) look_at(n);
      if (shared_) shared_->look_at_cables();
    }
    for (LiveJunction& junction : junctions_) {
      if (word == "home") junction.place = 0;
    }
    for (const LiveCables& cables : cables_) {
      if (word == "tree" && cables.tree() != nullptr) text += cables.tree()->text();
    }
    for (std::size_t b = 0; b < switches_.size(); ++b) {
      if (word == "flush") switches_[b]->flush();
      if (word == "groups" && switches_[b]->snooping() != nullptr) {
        for (const auto& member : switches_[b]->snooping()->members(now()))
          text += fmt::format("{} {} {} {}\n", bridges_[b].value, member.port, member.vlan,
                              wire::to_text(member.group));
      }
      if (word != "table") continue;
      for (const LiveSwitch::Entry& entry : switches_[b]->table(now())) {
        text += fmt::format("{} {} {} {} {}\n", bridges_[b].value, entry.port.value, entry.vlan,
                            wire::to_text(entry.mac),
                            entry.is_static ? "-" : fmt::format("{:.3f}", base::to_seconds(entry.unheard)));
      }
    }
    return word == "table" || word == "tree" || word == "groups" ? text : "ok\n";
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
  std::vector<LiveCables> cables_;  // likewise
  std::vector<WatchedBond> bonds_;
  std::vector<LiveQuerier> queriers_;
  std::optional<LiveShared> shared_;  // when the site has any
  Scratch scratch_;
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

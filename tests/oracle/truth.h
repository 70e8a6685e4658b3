// What a run knows for certain, and what each of its ports carried.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "model/segments.h"
#include "simulate/run.h"
#include "wire/ip.h"
#include "wire/mac.h"

namespace sekimori::oracle {

using base::Time;
using wire::Mac;

// A station in a segment: hosts with VLANs on a NIC have one MAC in several.
struct Subject {
  std::uint32_t segment = 0;
  Mac mac;
  friend auto operator<=>(const Subject&, const Subject&) = default;
};

// MACs of the stations that a frame with this tag can reach when it enters through `port`, whatever spanning
// trees and switched off links forbid: what is not among them is certainly the wrong way.
std::set<Mac> reach(const model::Model& model, model::PortId port, std::uint16_t tag);

// A frame as far as the judge looks into it.
struct Passing {
  Time at{0};
  bool inbound = false;
  Mac source, destination;
  bool is_arp = false, is_ip = false;
  std::uint16_t tag = 0;
  wire::Ipv4 sender;  // of ARP and IP
  std::size_t bytes = 0;
};
Passing passing(const simulate::CapturedFrame& captured);

// What a port carried.
class Traffic {
 public:
  Traffic(const model::Model& model, const model::Segments& segments, model::PortId port);

  void frame(const Passing& frame);

  std::int64_t frames() const { return frames_; }
  // Stations whose frames went astray here for at least a second and twenty frames.
  std::set<Subject> flooded() const;
  // Stations that a migration brings here, so that the way to them changes; and those that stray in small
  // numbers.
  std::set<Subject> unclear() const;
  std::uint32_t segment(std::uint16_t tag);
  // Stations of a machine whose frames for each other leave it here, by the uplink of a virtual switch of
  // that kind.
  std::set<Subject> leaked(model::BridgeKind kind) const;
  // Stations that the bridge of this port can't learn here.
  std::set<Subject> never_learnt() const;
  // MACs that came from both sides under two addresses, in turn.
  std::set<Mac> two_sided() const;
  // Addresses that two MACs claimed in turn.
  std::set<wire::Ipv4> contested() const;
  bool loops() const { return most_copies_ >= 1000; }
  std::int64_t busiest_second() const { return busiest_; }

 private:
  struct Stray {
    Time first{0}, last{0};
    std::int64_t frames = 0;
  };
  struct Sides {
    std::set<wire::Ipv4> in, out;
    bool last_in = false;
    int changes = 0;
  };
  struct Claimed {
    Mac last;
    int changes = 0;
  };

  struct Vlan {
    std::set<Mac> inside, outside;
    std::uint32_t segment = 0;
  };
  Vlan& vlan(std::uint16_t tag);

  const model::Model* model_;
  const model::Segments* segments_;
  model::PortId port_;
  std::map<std::uint16_t, Vlan> vlans_;
  std::int64_t frames_ = 0, most_copies_ = 0, second_ = 0, in_second_ = 0, busiest_ = 0;
  std::map<Subject, Stray> strays_;
  std::set<Subject> unclear_;
  std::map<Mac, Sides> sides_;
  std::map<wire::Ipv4, Claimed> claims_;
  std::map<std::uint64_t, std::int64_t> copies_;
};

// Why a station is flooded, as far as the run knows. Several bridges may do it for different reasons.
struct FloodFacts {
  bool leaks = false;     // what its own host sends it goes out of the NIC
  bool beside = false;    // what functions of a NIC send it goes out of that NIC, though it is behind the PF
  bool bypassed = false;  // flows of an Open vSwitch hand its frames on without learning
  bool not_learnt = false, refused = false, forgotten = false;
  std::set<std::int64_t> ageing_ms;  // of the bridges that have forgotten it
  std::set<Mac> answers;             // whom it sends unicast
  bool unheard = false;              // a bridge has forgotten it, and what it is sent is never answered
  bool routes = false;               // its packets go on, and what comes back may come another way
};

struct Truth {
  std::map<Subject, FloodFacts> floods;
  std::set<Mac> duplicates, moved;
  std::set<wire::Ipv4> duplicate_ips;
  // ARP replies from an address that reached a station; of two with one MAC, the one that got fewer.
  std::map<std::pair<Mac, wire::Ipv4>, int> answers;
  bool loops = false, flushes = false;
};

struct Played {
  Truth truth;
  std::vector<model::PortId> ports;
  std::vector<Traffic> traffic;  // by port
  std::shared_ptr<model::Segments> segments;
};

// Plays the site; `tap` sees every frame at every port with a link, with the number of the port in
// Played::ports.
Played play(const model::Model& model, Time until,
            const std::function<void(std::size_t port, const simulate::CapturedFrame& frame)>& tap);
std::vector<model::PortId> linked_ports(const model::Model& model);

}  // namespace sekimori::oracle

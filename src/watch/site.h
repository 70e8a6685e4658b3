// What a site file declares, beside what a capture shows: who is who, and on which side of the capture's
// port.
//
// A station is known by its MAC. Where the site file leaves the MAC out, or has it drawn, nobody knows it
// beforehand: then the station is the one that claims its IP address.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/model.h"
#include "model/segments.h"
#include "watch/observations.h"
#include "watch/place.h"

namespace sekimori::watch {

// With the port at which the capture was taken, if it is known.
struct Declared {
  const model::Model* model = nullptr;
  model::PortId port;
};

class Site {
 public:
  Site(const Declared& declared, const Observations& o);

  const model::Model& model() const { return *model_; }
  model::PortId port() const { return port_; }
  const model::Segments& segments() const { return segments_; }

  // Empty: not declared. Several: a MAC that the site has twice.
  const std::vector<model::StationId>& stations(Mac mac) const;
  const std::vector<model::StationId>& stations(wire::Ipv4 ip) const;
  std::string name(Mac mac) const;  // "app:net0"; empty: not declared
  // A guest and its host, or two guests of one host: by a virtual switch that sends what they say to each
  // other out of the NIC as well.
  bool hosted_together(Mac a, Mac b) const;

  // On what side of port(): kNear is the smaller one.
  Side side(Mac mac) const;
  std::size_t near_stations() const { return near_.size(); }
  const std::set<Mac>& near() const { return near_; }
  // The segments that pass port(), by the tag that their frames have there.
  const std::map<std::uint16_t, std::uint32_t>& tags() const { return tags_; }

 private:
  void find_sides();
  void find_tags();
  void know_by_address(const Observations& o);

  const model::Model* model_;
  model::PortId port_;
  model::Segments segments_;
  std::map<Mac, std::vector<model::StationId>> by_mac_;
  std::map<wire::Ipv4, std::vector<model::StationId>> by_ip_;
  std::set<Mac> near_, far_;
  std::map<std::uint16_t, std::uint32_t> tags_;
};

// What the port of the site tells of the place of a capture.
void place_by(const Site& site, const Observations& o, std::vector<View>& views);

}  // namespace sekimori::watch

#include "watch/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/assert.h"

namespace sekimori::watch {
namespace {

constexpr PlaceClaims kClaims[] = {
    {Place::kUnknown, "unknown", "a place that the frames do not tell", false, false,
     "floods, whose frames can't be told from those that belong there"},
    {Place::kAccess, "access", "an access port or a machine's own interface", true, true,
     "what other ports carry; whether a station is reachable elsewhere"},
    {Place::kUplink, "uplink", "an uplink, with several stations on both sides", false, true,
     "floods towards stations that are never heard: they may stand behind this link"},
    {Place::kMirror, "mirror", "a mirror port", false, false,
     "floods: a mirror shows unicast between others on purpose, perhaps in one direction only"},
    {Place::kTap, "tap", "a tap that hears one direction", false, false,
     "floods, answers that fail, anything about the other direction"},
    {Place::kCooked, "cooked",
     "a capture without destination addresses (Linux \"any\" device, raw IP, 802.11)", false, false,
     "floods, loops, reflections: all that needs whole Ethernet frames"},
};

// One station must be in this share of the two-way traffic to be the owner of the port.
constexpr double kOwnersShare = 0.9;
constexpr double kDirectionsKnown = 0.9;

struct Receiver {      // of unicast that is not answered
  bool heard = false;  // at all
  bool sends = false;  // unicast
};
struct Traffic {
  std::uint64_t two_way = 0, one_way = 0;   // unicast frames of pairs that are answered, or not
  std::map<Mac, std::uint64_t> two_way_of;  // by station
  std::map<Mac, Receiver> one_way_to;
  std::set<Mac> near, far;    // sources of outbound and of inbound frames only
  bool own_is_heard = false;  // the interface's own address
};

// A station's interface; none within tunnels, which are no places.
std::optional<std::uint32_t> interface_of(const Observations& o, std::uint32_t scope) {
  if (o.scopes[scope].tunnel != 0) return std::nullopt;
  return o.scopes[scope].interface;
}

bool is_unicast(const Pair& pair) { return pair.to != kNobody && pair.to != pair.from; }

void add_pairs(const Observations& o, std::vector<Traffic>& traffic) {
  for (const Pair& pair : o.pairs) {
    const auto interface = interface_of(o, pair.scope);
    if (!interface || !is_unicast(pair)) continue;
    Traffic& t = traffic[*interface];
    if (pair.reverse == kNobody) {
      t.one_way += pair.frames;
      t.one_way_to.try_emplace(pair.destination);
    } else {
      t.two_way += pair.frames;
      t.two_way_of[pair.source] += pair.frames;
      t.two_way_of[pair.destination] += pair.frames;
    }
  }
}

// What else is known of the receivers, where nobody is answered and they have to tell the place.
void add_receivers(const Observations& o, std::vector<Traffic>& traffic) {
  const auto receiver = [&](std::uint32_t scope, Mac mac) -> Receiver* {
    const auto interface = interface_of(o, scope);
    if (!interface || traffic[*interface].two_way != 0) return nullptr;
    const auto found = traffic[*interface].one_way_to.find(mac);
    return found == traffic[*interface].one_way_to.end() ? nullptr : &found->second;
  };
  for (const Station& s : o.stations) {
    if (s.sent == 0) continue;
    if (Receiver* r = receiver(s.scope, s.mac)) r->heard = true;
  }
  for (const Pair& pair : o.pairs) {
    if (!is_unicast(pair)) continue;
    if (Receiver* r = receiver(pair.scope, pair.source)) r->sends = true;
  }
}

// Whether all unicast goes to a station that is never heard: perhaps half of its own line.
bool one_silent_receiver(const Traffic& t) {
  return t.two_way == 0 && t.one_way_to.size() == 1 && !t.one_way_to.begin()->second.heard;
}

View tap(const Traffic& t) {
  View view;
  view.place = Place::kTap;
  view.why = fmt::format("all unicast goes to {}, and nothing ever comes from it",
                         wire::to_text(t.one_way_to.begin()->first));
  return view;
}

View with_directions(const Traffic& t) {
  View view;
  view.sides = true;
  // `near` holds the sources of outbound frames, `far` those of inbound ones; the smaller side is the near.
  view.near_is_outbound = t.near.size() <= t.far.size();
  view.locals = view.near_is_outbound ? t.near : t.far;
  const std::size_t others = (view.near_is_outbound ? t.far : t.near).size();
  if (view.locals.size() == 1) {
    view.place = Place::kAccess;
    view.why = fmt::format("{} alone sends from one side of it", wire::to_text(*view.locals.begin()));
  } else {
    view.place = Place::kUplink;
    view.why =
        fmt::format("{} stations send from one side of it, {} from the other", view.locals.size(), others);
  }
  return view;
}

View nobody_is_answered(const Traffic& t) {
  View view;
  if (t.one_way == 0) {
    view.why = "there is no unicast";
    return view;
  }
  view.place = Place::kAccess;
  for (const auto& [mac, receiver] : t.one_way_to) {
    if (receiver.sends) view.locals.insert(mac);
  }
  if (view.locals.size() == 1) {
    view.why = fmt::format("{} alone both sends and receives unicast", wire::to_text(*view.locals.begin()));
  } else if (view.locals.empty()) {
    view.why = "nobody is answered, so the port's own station is silent";
  } else {
    view = {};
    view.why = "the unicast of several stations is there in one direction";
  }
  return view;
}

// Who is behind the port would be heard from the other side than what is for him.
View all_one_way() {
  View view;
  view.place = Place::kAccess;
  view.why =
      "all frames pass it in one direction, and nobody is answered: its own station is silent, or it is a "
      "mirror port";
  return view;
}

View without_directions(const Traffic& t) {
  if (t.two_way == 0) return nobody_is_answered(t);
  std::vector<std::pair<std::uint64_t, Mac>> by_share;
  for (const auto& [mac, frames] : t.two_way_of) by_share.emplace_back(frames, mac);
  std::ranges::sort(by_share, std::greater());
  const auto [most, owner] = by_share.front();
  const double share = static_cast<double>(most) / static_cast<double>(t.two_way);
  View view;
  if (share < kOwnersShare) {
    view.place = Place::kMirror;
    view.why = fmt::format("the busiest station, {}, is in only {:.0f} % of the frames that are answered",
                           wire::to_text(owner), 100 * share);
    return view;
  }
  view.place = Place::kAccess;
  view.why =
      fmt::format("{} is in {:.0f} % of the frames that are answered", wire::to_text(owner), 100 * share);
  // Of a single pair either may be the owner.
  for (const auto& [frames, mac] : by_share) {
    if (frames == most) view.locals.insert(mac);
  }
  return view;
}

// The likeliest owner of a port that is said to be an access port although others are answered there, too.
std::set<Mac> busiest(const Traffic& t) {
  const auto most =
      std::ranges::max_element(t.two_way_of, {}, [](const auto& entry) { return entry.second; });
  return most == t.two_way_of.end() ? std::set<Mac>{} : std::set{most->first};
}

// The capturing machine's own interface, whose address is known: outbound is what this machine sends.
View own_interface(Mac own, const Traffic& t) {
  View view;
  view.sides = view.near_is_outbound = view.own = true;
  view.locals = t.near;
  view.locals.insert(own);
  view.place = view.locals.size() == 1 ? Place::kAccess : Place::kUplink;
  view.why = view.locals.size() == 1
                 ? fmt::format("it is the interface of this machine, {}", wire::to_text(own))
                 : fmt::format("{} stations send from this machine", view.locals.size());
  return view;
}

View silent_among_others(Mac own) {
  View view;
  view.place = Place::kMirror;
  view.why = fmt::format("others are answered here, while {} itself sends nothing", wire::to_text(own));
  return view;
}

View view_of(const InterfaceFacts& facts, const Traffic& t) {
  View view;
  if (facts.link_type != wire::LinkType::ethernet) {
    view.place = Place::kCooked;
    view.why = "of its link type";
    return view;
  }
  const auto directed = static_cast<double>(facts.inbound + facts.outbound);
  if (!facts.own.is_zero() && directed >= kDirectionsKnown * static_cast<double>(facts.frames)) {
    const bool speaks = t.own_is_heard || !t.near.empty();
    return speaks || t.two_way == 0 ? own_interface(facts.own, t) : silent_among_others(facts.own);
  }
  if (one_silent_receiver(t)) return tap(t);
  if (directed < kDirectionsKnown * static_cast<double>(facts.frames)) return without_directions(t);
  if (!t.near.empty() && !t.far.empty()) return with_directions(t);
  // Where all frames go one way, as into a mirror port, directions tell little.
  return t.two_way == 0 && t.one_way > 0 ? all_one_way() : without_directions(t);
}

}  // namespace

std::span<const PlaceClaims> place_claims() { return kClaims; }

const PlaceClaims& claims_of(Place place) {
  for (const PlaceClaims& c : kClaims) {
    if (c.place == place) return c;
  }
  base::assertion_failed("every place has its claims", __FILE__, __LINE__);
}

std::optional<Place> place_of(std::string_view word) {
  for (const PlaceClaims& c : kClaims) {
    if (c.word == word) return c.place;
  }
  return word == "guest" ? std::optional(Place::kAccess) : std::nullopt;
}

std::vector<View> views_of(const Observations& o, std::optional<Place> told) {
  std::vector<Traffic> traffic(o.interfaces.size());
  for (const Station& s : o.stations) {
    const auto interface = interface_of(o, s.scope);
    if (!interface) continue;
    Traffic& t = traffic[*interface];
    if (s.sent > 0 && s.mac == o.interfaces[*interface].own) t.own_is_heard = true;
    // A duplicate speaks from both sides; it tells nothing of where we are.
    if (s.outbound > 0 && s.inbound == 0) t.near.insert(s.mac);
    if (s.inbound > 0 && s.outbound == 0) t.far.insert(s.mac);
  }
  add_pairs(o, traffic);
  add_receivers(o, traffic);
  std::vector<View> views;
  views.reserve(traffic.size());
  for (std::size_t i = 0; i < traffic.size(); ++i) {
    View view = view_of(o.interfaces[i], traffic[i]);
    if (told && view.place != Place::kCooked) {
      if (*told == Place::kAccess && view.place == Place::kMirror) view.locals = busiest(traffic[i]);
      view.place = *told;
      view.told = true;
      view.why = "as said";
    }
    views.push_back(std::move(view));
  }
  return views;
}

Side side_of(const View& view, const Station& s) {
  if (const auto declared = view.declared.find(s.mac); declared != view.declared.end())
    return declared->second;
  if (!view.sides || s.inbound + s.outbound == 0) return Side::kUnknown;
  if (s.inbound > 0 && s.outbound > 0) return Side::kBoth;
  return (s.outbound > 0) == view.near_is_outbound ? Side::kNear : Side::kFar;
}

Flooded flooded(const View& view, const Station& from, const Station& to) {
  const PlaceClaims& claims = claims_of(view.place);
  const Side a = side_of(view, from), b = side_of(view, to);
  if (claims.one_side && view.sides) {
    if (a == Side::kUnknown || a == Side::kBoth || b == Side::kBoth) return Flooded::kNo;
    if (b != Side::kUnknown) return a == b ? Flooded::kYes : Flooded::kNo;
    // A receiver that is never heard may be a silent one behind the port, unless nobody else can be there.
    if (a != Side::kFar) return Flooded::kNo;
    const bool alone = (view.told || view.own) && view.place == Place::kAccess && !view.locals.empty();
    return alone ? Flooded::kYes : Flooded::kMaybe;
  }
  if (!claims.foreign_unicast) return Flooded::kNo;
  if (view.locals.contains(to.mac) || view.locals.contains(from.mac)) return Flooded::kNo;
  // A link towards a router that everybody talks to looks like that router's own port.
  if (!view.told) return Flooded::kMaybe;
  return view.locals.empty() && to.sent == 0 ? Flooded::kMaybe : Flooded::kYes;
}

}  // namespace sekimori::watch

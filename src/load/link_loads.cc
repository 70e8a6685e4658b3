#include "load/link_loads.h"

#include <fmt/format.h>

#include "base/text.h"

namespace sekimori::load {

using check::Learning;
using check::Stream;
using findings::Finding;
using model::Model;

std::string mbit_text(Range bytes) {
  if (bytes.decided()) return base::mbit_text(to_mbit(bytes.most));
  if (bytes.least <= bytes.most / 1000) return "up to " + base::mbit_text(to_mbit(bytes.most));
  return fmt::format("{} to {}", base::short_number(to_mbit(bytes.least)),
                     base::mbit_text(to_mbit(bytes.most)));
}

std::size_t lane_out_of(const Model& model, PortId port) {
  const LinkId link = model[port].link;
  return 2 * link.index() + (model[link].a == port ? 0 : 1);
}

findings::LinkLoad link_load(const Model& model, std::size_t lane, const Lane& load) {
  const LinkId id(lane / 2);
  const model::Link& link = model[id];
  const bool from_a = lane % 2 == 0;
  findings::LinkLoad result;
  result.from = name_of(model, from_a ? link.a : link.b);
  result.to = name_of(model, from_a ? link.b : link.a);
  result.link = id;
  result.from_is_a = from_a;
  result.capacity_mbit = static_cast<double>(link.rate.bits_per_second) * 1e-6;
  result.wanted_mbit = to_mbit(load.wanted_bytes.most);
  result.flooded_mbit = to_mbit(load.flooded_bytes.most);
  return result;
}

// ---------------------------------------------------------------- links that get too much

namespace {

class Overloads {
 public:
  Overloads(const Learning& learning, const Load& load, findings::Report& report)
      : l_(learning), m_(learning.model()), lanes_(load.lanes), report_(report) {}

  void add(std::size_t most) {
    std::vector<std::size_t> over;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (lanes_[lane].wire_bits().least > capacity_of(lane)) over.push_back(lane);
    }
    if (over.empty()) return;
    const auto excess = [&](std::size_t lane) { return lanes_[lane].wire_bits().least / capacity_of(lane); };
    std::ranges::stable_sort(over, std::ranges::greater{}, excess);
    if (over.size() > most) {
      report_.remarks.push_back(fmt::format(
          "{} directions of links get more than they can carry; the {} worst are told.", over.size(), most));
      over.resize(most);
    }
    const auto users = users_of(over);
    for (std::size_t i = 0; i < over.size(); ++i) {
      const Range wanted = lanes_[over[i]].wanted_wire_bits();
      Finding* const flood = wanted.least <= capacity_of(over[i]) ? flood_that_fills(over[i]) : nullptr;
      if (flood == nullptr) {
        report_.findings.push_back(finding(over[i], users[i]));
        continue;
      }
      flood->severity = findings::Severity::kError;
      flood->evidence.push_back({std::nullopt, lane_text(over[i]),
                                 words(over[i]) + (users[i].empty() ? "" : "; it hits " + hit(users[i]))});
    }
  }

 private:
  double capacity_of(std::size_t lane) const {
    const LinkId link(lane / 2);
    return static_cast<double>(m_[link].rate.bits_per_second);
  }

  Finding* flood_that_fills(std::size_t lane) const {
    Finding* worst = nullptr;
    double most = 0;
    for (Finding& f : report_.findings) {
      for (const findings::LinkLoad& load : f.links) {
        if (load.link.index() != lane / 2 || load.from_is_a != (lane % 2 == 0) || load.flooded_mbit <= most)
          continue;
        most = load.flooded_mbit;
        worst = &f;
      }
    }
    return worst;
  }

  std::string lane_text(std::size_t lane) const {
    const findings::LinkLoad ends = link_load(m_, lane, {});
    return fmt::format("{} to {}", ends.from, ends.to);
  }
  std::string words(std::size_t lane) const {
    return fmt::format("gets {} and carries {}", base::mbit_text(lanes_[lane].wire_bits().least * 1e-6),
                       base::mbit_text(capacity_of(lane) * 1e-6));
  }
  std::string hit(const std::vector<model::FlowId>& flows) const {
    constexpr std::size_t kMostListed = 1000;
    std::vector<std::string> names;
    for (const model::FlowId id : flows) {
      if (names.size() >= kMostListed) break;
      names.push_back(name_of(m_, id));
    }
    return base::list_words(names, 5);
  }

  // The flows whose own way goes over each of these lanes.
  std::vector<std::vector<model::FlowId>> users_of(const std::vector<std::size_t>& lanes) const {
    std::vector<std::vector<model::FlowId>> users(lanes.size());
    std::vector<check::Step> way;
    for (const Stream& stream : l_.streams()) {
      if (!stream.flow.valid() || !stream.to.valid()) continue;
      l_.forest().way(l_.forest().place(stream.from), l_.forest().place(stream.to), way);
      const auto over = [&](PortId out) {
        const auto at = std::ranges::find(lanes, lane_out_of(m_, out));
        if (at == lanes.end()) return;
        auto& list = users[static_cast<std::size_t>(at - lanes.begin())];
        if (list.empty() || list.back() != stream.flow) list.push_back(stream.flow);
      };
      over(m_[stream.from].port);
      for (const check::Step& step : way) over(step.out);
    }
    return users;
  }

  Finding finding(std::size_t lane, const std::vector<model::FlowId>& users) const {
    Finding f;
    f.code = findings::Code::kLinkOverloaded;
    f.certainty = findings::Certainty::kProved;
    f.severity = findings::entry(f.code).severity;
    f.links = {link_load(m_, lane, lanes_[lane])};
    findings::LinkLoad& link = f.links.front();
    link.dropped_mbit = std::max(0.0, lanes_[lane].wire_bits().least * 1e-6 - link.capacity_mbit);
    f.link = link.link;
    f.line = m_[link.link].line;
    f.where = lane_text(lane);
    f.headline = fmt::format("{} {}", f.where, words(lane));
    f.cause =
        fmt::format("{} of what is sent over it is on its way, {} is flooded. What does not fit is lost{}.",
                    base::mbit_text(link.wanted_mbit), base::mbit_text(link.flooded_mbit),
                    users.empty() ? "; no flow needs this link" : ": it hits " + hit(users));
    return f;
  }

  const Learning& l_;
  const Model& m_;
  const std::vector<Lane>& lanes_;
  findings::Report& report_;
};

}  // namespace

void add_overloads(const Learning& learning, const Load& load, std::size_t most, findings::Report& report) {
  Overloads(learning, load, report).add(most);
}

}  // namespace sekimori::load

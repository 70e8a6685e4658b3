#include "simulate/multicast_findings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "simulate/rates.h"

namespace sekimori::simulate {

using findings::Code;
using findings::Finding;

namespace {

// Less is a move as any other, or the flow's own pace.
Duration least_outage(const model::Flow& flow) {
  return std::max<Duration>(base::seconds(5), 3 * model::interval_of(flow));
}

// The move of the member's machine in the time that it got nothing; none when there is none.
const model::Change* move_before(const model::Model& m, model::StationId member, Time from, Time until) {
  const auto is_it = [&](const model::Change& change) {
    const auto* move = std::get_if<model::MigrateMachine>(&change.what);
    return move != nullptr && move->machine == m[member].machine && change.at >= from && change.at < until;
  };
  const auto found = std::ranges::find_if(m.changes, is_it);
  return found == m.changes.end() ? nullptr : &*found;
}

void tell_move(const model::Model& m, const Reception& r, const model::Change& change, Time until,
               findings::Report& report) {
  const std::string group = wire::group_text(m[r.flow].group), who = name_of(m, r.member);
  const auto& move = std::get<model::MigrateMachine>(change.what);
  Finding f;
  f.code = Code::kBlackholeSnooping;
  f.severity = findings::entry(f.code).severity;
  f.certainty = findings::Certainty::kObserved;
  f.where = who;
  f.line = change.line;
  f.onset = change.at;
  f.until = until;
  f.stations = {r.member};
  f.headline = fmt::format("{} gets nothing for {} for {} after it has moved to {}", who, group,
                           base::to_text(until - change.at), name_of(m, move.to_host));
  f.cause = fmt::format(
      "Its switches know it as a member behind its old port. It does not notice that it moves, so it does "
      "not say again "
      "that it is in {}, and {} announces its MAC only. The next query, every 125 s, ends it.",
      group, name_of(m, move.to_host));
  f.evidence.push_back(
      {until - r.longest_gap, who, fmt::format("the last packet for {} at the old place", group)});
  f.evidence.push_back({until, who, fmt::format("the first packet for {} at the new place", group)});
  report.findings.push_back(std::move(f));
}

// What the flow's members get, and the worst of them, since that one got the last.
void add_victim(const model::Model& m, const Rates& rates, const Reception& r, Time ended, Finding& f) {
  const Span since = rates.between(std::max(r.last, m[r.flow].start), ended);
  if (since.empty() || std::ranges::find(f.flows, r.flow, &findings::FlowImpact::id) != f.flows.end()) return;
  findings::FlowImpact victim{name_of(m, r.flow), r.flow, {}, rates.quality(r.flow, since)};
  victim.before.offered_mbit = victim.before.goodput_mbit = victim.after.offered_mbit;
  f.flows.push_back(std::move(victim));
}

}  // namespace

void explain_members(const model::Model& m, const RunResult& run, findings::Report& report) {
  const Rates rates(m, run);
  for (const Reception& r : run.receptions) {
    const Duration outage = least_outage(m[r.flow]);
    const bool still = m[r.flow].stop >= run.ended && run.ended - std::max(r.last, Time{0}) > outage;
    const auto is_told = [&](const Finding& f) {
      return f.code == Code::kBlackholeSnooping &&
             std::ranges::find(f.stations, r.member) != f.stations.end();
    };
    if (const auto told = std::ranges::find_if(report.findings, is_told); told != report.findings.end()) {
      if (!still) continue;
      add_victim(m, rates, r, run.ended, *told);
      if (r.last < Time{0} || told->evidence.size() >= 6) continue;
      told->evidence.push_back({r.last, name_of(m, r.member),
                                fmt::format("the last packet for {}", wire::group_text(m[r.flow].group))});
      continue;
    }
    const Time until = r.longest_gap_end;
    if (r.longest_gap <= outage) continue;
    if (const model::Change* move = move_before(m, r.member, until - r.longest_gap, until))
      tell_move(m, r, *move, until, report);
  }
}

}  // namespace sekimori::simulate

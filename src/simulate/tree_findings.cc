#include "simulate/tree_findings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace sekimori::simulate {
namespace {

using findings::Code;
using findings::Finding;
using findings::Severity;
using model::PortId;

// A link that fails once, or comes back, is no fault of the tree. As many in ten minutes as the detector for
// captures asks for are one.
constexpr std::int64_t kRepeated = 2, kMany = 10;
constexpr Duration kWindow = base::seconds(600);

bool faces_a_station(const model::Model& m, PortId port) {
  const PortId far = peer(m, port);
  return far.valid() && !m[far].bridge.valid();
}

bool is_declared_edge(const model::Model& m, PortId port) { return m[port].edge == model::EdgePort::kOn; }

bool are_many(const TopologyChangeRecord& record) {
  const Duration length = std::max(record.last - record.first, kWindow);
  return static_cast<double>(record.changes) * base::to_seconds(kWindow) / base::to_seconds(length) >=
         static_cast<double>(kMany);
}

bool is_worth_telling(const model::Model& m, const TopologyChangeRecord& record) {
  return are_many(record) || (record.changes >= kRepeated && faces_a_station(m, record.port));
}

std::string times(std::int64_t n) { return n == 1 ? "once" : fmt::format("{} times", n); }

std::string tell(const model::Model& m, const TopologyChangeRecord& record) {
  std::string text =
      fmt::format("{} began or ceased to forward {}", name_of(m, record.port), times(record.changes));
  if (!faces_a_station(m, record.port)) return text + ", with its link";
  const PortId far = peer(m, record.port);
  return text +
         fmt::format(", with {} that is plugged in there; no bridge is behind it, but it is no edge port",
                     name_of(m, far));
}

std::vector<const TopologyChangeRecord*> by_changes(const RunResult& run) {
  std::vector<const TopologyChangeRecord*> list;
  for (const TopologyChangeRecord& record : run.topology_changes) list.push_back(&record);
  std::ranges::stable_sort(list, std::ranges::greater{}, &TopologyChangeRecord::changes);
  return list;
}

void changes(const model::Model& m, const RunResult& run, findings::Report& report) {
  std::vector<const TopologyChangeRecord*> told = by_changes(run);
  std::erase_if(told, [&](const TopologyChangeRecord* r) { return !is_worth_telling(m, *r); });
  if (told.empty()) return;
  Finding f;
  f.code = Code::kTopologyChanges;
  const bool many = std::ranges::any_of(told, [](const TopologyChangeRecord* r) { return are_many(*r); });
  f.severity = many ? Severity::kWarning : findings::entry(f.code).severity;
  std::vector<std::string> ports;
  std::int64_t count = 0;
  f.onset = told.front()->first;
  for (const TopologyChangeRecord* record : told) {
    ports.push_back(name_of(m, record->port));
    count += record->changes;
    f.onset = std::min(*f.onset, record->first);
    if (f.evidence.size() < 4)
      f.evidence.push_back({record->first, name_of(m, record->port), tell(m, *record)});
  }
  const bool has_station = std::ranges::any_of(told, [&](const TopologyChangeRecord* r) {
    return faces_a_station(m, r->port) && !is_declared_edge(m, r->port);
  });
  f.bridge = m[told.front()->port].bridge;
  f.line = m[f.bridge].line;
  f.where = base::list_words(ports, 4);
  f.headline =
      fmt::format("{} changed the spanning tree {}, and all its bridges forgot their stations each time",
                  f.where, times(count));
  f.cause = fmt::format("{}. ", tell(m, *told.front()));
  f.cause +=
      has_station
          ? "Each change is told to every bridge of the tree, which ages its table fast (STP) or empties it "
            "(RSTP), and floods until the stations speak again. A port that only machines are behind can be "
            "declared as an edge port: it then forwards at once, and changes nothing."
          : "Each change is told to every bridge of the tree, which ages its table fast (STP) or empties it "
            "(RSTP), and floods until the stations speak again. The link should be mended, or taken down.";
  report.findings.push_back(std::move(f));
}

void shuts(const model::Model& m, const RunResult& run, findings::Report& report) {
  for (const ShutRecord& shut : run.shuts) {
    const std::string port = name_of(m, shut.port);
    const findings::Evidence evidence{
        shut.at, port,
        fmt::format("a BPDU of {} came in; the guard shut the port", name_of(m, m[shut.sender].bridge))};
    const auto known = std::ranges::find_if(report.findings, [&](const Finding& f) {
      return f.code == Code::kBpduGuard &&
             (f.bridge == m[shut.port].bridge || f.where.find(port) != std::string::npos);
    });
    if (known != report.findings.end()) {
      known->evidence.push_back(evidence);
      if (!known->onset) known->onset = shut.at;
      known->severity = Severity::kError;
      continue;
    }
    Finding f;
    f.code = Code::kBpduGuard;
    f.severity = Severity::kError;
    f.onset = shut.at;
    f.bridge = m[shut.port].bridge;
    f.line = m[f.bridge].line;
    f.where = port;
    f.headline = fmt::format("a BPDU of {} shut {}", name_of(m, m[shut.sender].bridge), port);
    f.cause = fmt::format(
        "{} has a BPDU guard, and {} runs a spanning tree behind it. The port shut when the first BPDU came "
        "in, and "
        "everything behind it is off the network until somebody opens it by hand.",
        port, name_of(m, m[shut.sender].bridge));
    f.evidence.push_back(evidence);
    report.findings.push_back(std::move(f));
  }
}

}  // namespace

PortId busiest_port(const RunResult& run) {
  const auto list = by_changes(run);
  return list.empty() ? PortId() : list.front()->port;
}

std::string tell_changes(const model::Model& m, const RunResult& run) {
  const auto list = by_changes(run);
  return list.empty() ? "a bridge became the root of the spanning tree" : tell(m, *list.front());
}

void explain_tree(const model::Model& m, const RunResult& run, findings::Report& report) {
  changes(m, run, report);
  shuts(m, run, report);
}

}  // namespace sekimori::simulate

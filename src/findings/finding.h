// Findings: what every engine answers and every reporter reads (the second waist of the program).
//
// A finding is the story of one fault: what is wrong and where, why (the cause, not the symptom), what shows
// it, whom it hurts and how much, and what ends it. Texts are whole sentences in the site's own names;
// numbers stand beside them so that a reporter can lay them out and a machine can read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "findings/catalogue.h"
#include "model/model.h"

namespace sekimori::findings {

using base::Time;

// How sure the engine is of the cause.
enum class Certainty : std::uint8_t {
  kProved,     // follows from the model alone, whatever the timing
  kObserved,   // happened in a run or a capture, and what was seen leaves one cause
  kUndecided,  // several causes remain; Finding::candidates lists them
};

// A frame or a table state that shows the fault.
struct Evidence {
  std::optional<Time> at;
  std::string where;        // "sw1:24", "sw1"
  std::string what;         // "unknown destination app:net0 (02:..:09), 1514 bytes, flooded to 3 ports"
  std::uint64_t frame = 0;  // of a capture, from 1 as Wireshark counts; 0: none
};

// Load of one link in one direction, in Mbit/s of frames (without FCS, preamble and gap), averaged over the
// window that the finding speaks of.
struct LinkLoad {
  std::string from, to;  // port names: "sw1:24", "ether:tokyo"
  model::LinkId link;    // invalid when the finding does not come from a model
  bool from_is_a = true;
  double capacity_mbit = 0;
  double wanted_mbit = 0;   // on its way to its destination
  double flooded_mbit = 0;  // copies that nobody at the end of this link wants
  double dropped_mbit = 0;  // did not fit in the queue
};

// What a flow's users get.
struct FlowQuality {
  double offered_mbit = 0;
  double goodput_mbit = 0;  // payload delivered, without repetitions
  double loss_percent = 0;  // of the frames sent
  double delay_ms = 0;      // mean, one way
};

struct FlowImpact {
  std::string flow;  // "tcp desk -> branch"
  model::FlowId id;
  FlowQuality before, after;  // before the fault set in / while it lasts
};

// A remedy that was worked out on a copy of the model.
struct RemedyOutcome {
  std::string word;         // "guard", "router", "gratuitous-arp", ...: stable, for machines
  std::string description;  // what to do, in the site's names
  bool ends_fault = false;  // the finding is gone
  // The worst link, before and after, in Mbit/s of flooded (or, for other faults, dropped) frames.
  double before_mbit = 0, after_mbit = 0;
  // What the victims lose, before and after: the worst loss over the flows that the finding names, in
  // percent.
  double before_loss_percent = 0, after_loss_percent = 0;
  std::vector<std::string>
      side_effects;  // whole sentences, "the leak still loads server:eth0 with 21 Mbit/s"
};

struct Finding {
  Code code = Code::kFloodUndecided;
  Severity severity = Severity::kError;
  Certainty certainty = Certainty::kObserved;
  std::string where;     // the thing at fault: "server/vmnet0", "sw1", "app:net0 and app2:net0"
  std::string headline;  // one line: what happens, with the number that matters
  std::string cause;     // why, as a short story of a few sentences
  std::vector<std::string> candidates;  // kUndecided: the causes left
  std::string to_decide;                // kUndecided: what to capture or do next
  std::vector<Evidence> evidence;
  std::optional<Time> onset;      // when it set in
  std::optional<Time> until;      // the end of what loads and flows below speak of
  std::vector<LinkLoad> links;    // the loads that the fault causes, worst first
  std::vector<FlowImpact> flows;  // the victims, worst first
  std::vector<RemedyOutcome> remedies;
  model::SourceLine line = 0;  // of the thing at fault in the site file
  // The same for the same fault, however the site file is edited around it (findings/identity.h). 0: not
  // worked out.
  std::uint64_t fingerprint = 0;
  // Known by a baseline, with the comment that its entry carries: told in short, and judged no more.
  std::optional<std::string> accepted;
  // For engines that join what they found: the subject in the model; invalid where there is none.
  model::BridgeId bridge;
  std::vector<model::StationId> stations;
  model::LinkId link;
};

// The baseline that was held against a report: a file of findings that are known and accepted.
struct BaselineUse {
  struct Stale {  // an entry that no finding matches any more
    unsigned line = 0;
    std::string code, where;
  };
  std::string file;
  std::vector<Stale> stale;
};

// A run's findings, with what a reader needs to judge them.
struct Report {
  std::string title;
  std::string source;             // "examples/hosted-server/site.yaml"
  std::string kind = "site";      // what the source is: "site", "capture", "fleet"
  std::vector<Finding> findings;  // worst first
  std::vector<LinkLoad> links;    // every link with load, both directions, over the last part of the run
  std::vector<FlowImpact> flows;  // every flow
  std::optional<Time> simulated;  // how long a time the run covered
  std::optional<std::uint64_t> fingerprint;  // of the run: equal for equal runs on any machine
  std::vector<std::string> remarks;          // what the reader must know: assumptions, what was cut short
  std::optional<BaselineUse> baseline;
  bool interrupted = false;  // stopped by the user: a clean report then proves nothing
  bool incomplete = false;   // the input ends too early: a remark says where
};

// Errors first, then by catalogue order, then by harm (Mbit/s of the worst link), then by name.
void sort_findings(std::vector<Finding>& findings);

}  // namespace sekimori::findings

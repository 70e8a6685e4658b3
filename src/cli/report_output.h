// What the verbs that judge a site share: where their report goes, which findings are known already, and what
// the exit code makes of the others.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/output.h"
#include "findings/finding.h"
#include "report/baseline.h"

namespace sekimori::cli {

struct ReportArguments {
  OutputArguments output;
  std::string sarif;           // like output.json
  std::string baseline;        // of known findings; empty is none
  std::string write_baseline;  // where to write those of this run; empty is nowhere
  std::optional<findings::Severity> fail_on = findings::Severity::kWarning;  // nothing: never
};

class ReportOutput {
 public:
  // Reads the baseline and opens every file, before the work: a mistyped path must not cost a long run.
  // `input` is what is judged.
  static Step<ReportOutput> prepare(const ReportArguments& arguments, const std::string& input);

  // For further files of the verb.
  Outputs& outputs() { return outputs_; }

  // Marks what is known, writes everything, and returns the exit code.
  Step<int> tell(findings::Report& report);

 private:
  ReportOutput(const ReportArguments& arguments, const std::string& input)
      : arguments_(arguments), outputs_(input) {}
  Step<void> write_files(const findings::Report& report);

  ReportArguments arguments_;
  Outputs outputs_;
  std::vector<report::BaselineEntry> known_;    // of the baseline
  std::vector<report::BaselineEntry> earlier_;  // of the one to be written, for their comments
  std::optional<sys::OutputFile> json_, sarif_, baseline_;
};

}  // namespace sekimori::cli

#include "cli/check.h"

#include "check/rules.h"
#include "cli/site.h"
#include "findings/identity.h"
#include "load/proof.h"
#include "remedy/remedy.h"
#include "sys/signals.h"

namespace sekimori::cli {

// A further engine is a further line.
void prove(const model::Model& model, findings::Report& report) {
  report.findings = check::structural(model);  // duplicates, loops, wide segments
  load::prove(model, report);                  // floods with their causes, leaks, links over capacity
}

namespace {

Step<findings::Report> check_site(const CheckArguments& arguments) {
  const auto model = load_site(arguments.site, arguments.seed);
  if (!model) return std::unexpected(model.error());

  findings::Report report;
  report.title = model->title;
  report.source = arguments.site;
  prove(*model, report);
  findings::sort_findings(report.findings);
  findings::identify(*model, report.findings);
  if (arguments.remedies)
    remedy::search(*model, {.progress = [](double, std::string_view) { return !sys::interrupted(); }},
                   report);
  tell_notes(*model, report);
  report.remarks.emplace_back(
      "Nothing was played: this is what must come. When it sets in and what flows then get, sekimori "
      "diagnose tells.");
  return report;
}

Step<int> check_and_tell(const CheckArguments& arguments) {
  auto output = ReportOutput::prepare(arguments.report, arguments.site);
  if (!output) return std::unexpected(output.error());
  auto report = check_site(arguments);
  if (!report) return std::unexpected(report.error());
  return output->tell(*report);
}

}  // namespace

int check(const CheckArguments& arguments) {
  const auto exit = check_and_tell(arguments);
  return exit ? *exit : complain(exit.error());
}

}  // namespace sekimori::cli

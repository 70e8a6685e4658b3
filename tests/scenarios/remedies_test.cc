// Remedies are worked out, not promised: what ends a fault, what merely contains it, and what else it does.
#include <algorithm>

#include "remedy/remedy.h"
#include "report/json.h"
#include "scenario.h"

namespace sekimori::scenarios {
namespace {

using findings::Code;
using findings::RemedyOutcome;

findings::Report remedied(const model::Model& model, unsigned threads = 2,
                          std::optional<base::Time> until = {}) {
  const simulate::Options run = simulate::diagnosing_options(model, until);
  const auto result = simulate::run(model, run);
  findings::Report report;
  report.findings = check::structural(model);
  simulate::explain(model, run, *result, report);
  remedy::Options options;
  options.run = run;
  options.threads = threads;
  EXPECT_TRUE(remedy::work_out(model, *result, options, report));
  return report;
}

const RemedyOutcome& outcome(const findings::Report& report, Code code, std::string_view word) {
  static const RemedyOutcome kNone;
  const auto* f = find(report, code);
  if (f != nullptr) {
    for (const RemedyOutcome& remedy : f->remedies) {
      if (remedy.word == word) return remedy;
    }
  }
  ADD_FAILURE() << "no remedy " << word;
  return kNone;
}

bool says(const RemedyOutcome& remedy, std::string_view words) {
  return std::ranges::any_of(remedy.side_effects,
                             [&](const std::string& s) { return s.find(words) != std::string::npos; });
}

TEST(Remedies, OfTheLeak) {
  const auto report = remedied(story("hosted-server"));
  for (const char* word : {"guard", "filters-local", "linux-bridge"}) {
    const RemedyOutcome& r = outcome(report, Code::kFloodLeak, word);
    EXPECT_TRUE(r.ends_fault) << word;
    EXPECT_NEAR(r.before_mbit, 20.9, 0.1) << word;
    EXPECT_EQ(r.after_mbit, 0) << word;
    EXPECT_GT(r.before_loss_percent, 20) << word;
    EXPECT_LT(r.after_loss_percent, 0.1) << word;
    EXPECT_TRUE(r.side_effects.empty()) << word;
  }
  // These end the flood, and the leak goes on.
  for (const char* word : {"gratuitous-arp", "static-entry", "unknown-unicast-block"}) {
    const RemedyOutcome& r = outcome(report, Code::kFloodLeak, word);
    EXPECT_TRUE(r.ends_fault) << word;
    EXPECT_TRUE(says(r, "the leak still loads server/vmnet0:eth0 with 20.9")) << word;
  }
  // The router keeps it in: the victim over the WAN recovers, the local segment stays flooded.
  const RemedyOutcome& router = outcome(report, Code::kFloodLeak, "router");
  EXPECT_FALSE(router.ends_fault);
  EXPECT_LT(router.after_loss_percent, 0.1);
  EXPECT_TRUE(says(router, "3 of the 5 flooded links are free"));
}

TEST(Remedies, BlockingASilentReceiversFloodIsLoss) {
  const auto report = remedied(story("silent-syslog"));
  EXPECT_TRUE(outcome(report, Code::kFloodSilent, "gratuitous-arp").side_effects.empty());
  const RemedyOutcome& block = outcome(report, Code::kFloodSilent, "unknown-unicast-block");
  EXPECT_TRUE(says(block, "udp web -> syslog now loses 100 %"));
}

TEST(Remedies, OfTheTimers) {
  const auto report = remedied(story("arp-timers"));
  for (const char* word : {"arp-timeout", "ageing", "gratuitous-arp", "static-entry"}) {
    EXPECT_TRUE(outcome(report, Code::kFloodTimers, word).ends_fault) << word;
    EXPECT_EQ(outcome(report, Code::kFloodTimers, word).after_mbit, 0) << word;
  }
}

TEST(Remedies, OfDuplicatesLoopsAndTables) {
  const auto clone = remedied(story("cloned-guest"));
  EXPECT_TRUE(outcome(clone, Code::kMacDuplicate, "fresh-mac").ends_fault);
  EXPECT_EQ(outcome(clone, Code::kMacDuplicate, "fresh-mac").after_loss_percent, 0);
  const auto loop = remedied(story("guest-bridges-nics"));
  EXPECT_TRUE(outcome(loop, Code::kLoop, "stp").ends_fault);
  EXPECT_TRUE(outcome(loop, Code::kLoop, "unplug").ends_fault);
  const auto table = remedied(story("full-table"), 2, base::seconds(60));
  EXPECT_TRUE(outcome(table, Code::kFloodTableFull, "larger-table").ends_fault);
}

TEST(Remedies, OfAWideSegment) {
  const auto report = remedied(story("hosted-server-guard"));
  EXPECT_TRUE(outcome(report, Code::kSegmentOverWan, "router").ends_fault);
  EXPECT_TRUE(outcome(report, Code::kSegmentOverWan, "router").side_effects.empty());
}

TEST(Remedies, AreTheSameWithAnyNumberOfThreads) {
  const model::Model m = story("arp-timers-suppressed");
  EXPECT_EQ(report::json(remedied(m, 1)), report::json(remedied(m, 4)));
}

}  // namespace
}  // namespace sekimori::scenarios

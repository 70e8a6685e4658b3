#include "report/baseline.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"
#include "report/test_support.h"

namespace sekimori::report {
namespace {

using findings::Code;
using findings::Severity;

constexpr std::string_view kTwo =
    "# comment\r\n"
    "\n"
    "  00000000000000ff error flood-leak \"server/vmnet0\"  # until NET-12 # is done \n"
    "ABCDEFabcdef0001\tnote\tloop \"a \\\"b\\\" \\u95a2\"\r\n";

TEST(Baseline, IsRead) {
  const auto entries = parse_baseline(kTwo, "f");
  ASSERT_TRUE(entries) << entries.error().what;
  ASSERT_EQ(entries->size(), 2u);
  const BaselineEntry& first = entries->at(0);
  EXPECT_EQ(first.fingerprint, 255u);
  EXPECT_EQ(first.severity, Severity::kError);
  EXPECT_EQ(first.code, Code::kFloodLeak);
  EXPECT_EQ(first.where, "server/vmnet0");
  EXPECT_EQ(first.comment, "until NET-12 # is done");
  EXPECT_EQ(first.line, 3u);
  EXPECT_EQ(entries->at(1).fingerprint, 0xabcdefabcdef0001u);
  EXPECT_EQ(entries->at(1).where, "a \"b\" 関");
  EXPECT_EQ(entries->at(1).comment, "");
  EXPECT_TRUE(parse_baseline("", "f")->empty());
}

std::string error_of(std::string_view line) {
  const auto entries = parse_baseline("\n" + std::string(line) + "\n", "known.baseline");
  return entries ? "" : entries.error().what;
}

TEST(Baseline, DamageIsToldWithLineAndExpectation) {
  const std::string good = "00000000000000ff error loop \"sw1\"";
  ASSERT_EQ(error_of(good), "");
  EXPECT_EQ(error_of("sekimori: 1"),
            "known.baseline:2: a fingerprint of 16 hexadecimal digits is expected, not \"sekimori:\".\n"
            "A line is: FINGERPRINT SEVERITY CODE \"WHERE\"  # comment");
  const std::pair<std::string, std::string> damaged[] = {
      {"0ff error loop \"x\"", "16 hexadecimal digits"},
      {"-0000000000000ff error loop \"x\"", "16 hexadecimal digits"},
      {"00000000000000ff", "note, warning or error is expected, not \"\""},
      {"00000000000000ff bad loop \"x\"", "note, warning or error is expected, not \"bad\""},
      {"00000000000000ff error lop \"x\"", "\"lop\" is no code of a finding: did you mean loop?"},
      {"00000000000000ff error loop", "the place in \"quotes\""},
      {"00000000000000ff error loop sw1", "the place in \"quotes\""},
      {"00000000000000ff error loop \"sw1", "the place in \"quotes\""},
      {"00000000000000ff error loop \"sw1\\", "the place in \"quotes\""},
      {"00000000000000ff error loop \"\\q\"", "the place in \"quotes\""},
      {"00000000000000ff error loop \"\xff\"", "the place in \"quotes\""},
      {good + " why", "a comment begins with #"},
      {"<<<<<<< HEAD", "a merge left a conflict here"},
      {"=======", "a merge left a conflict here"},
  };
  for (const auto& [line, expected] : damaged) {
    EXPECT_TRUE(error_of(line).starts_with("known.baseline:2: ")) << line << "\n" << error_of(line);
    EXPECT_NE(error_of(line).find(expected), std::string::npos) << line << "\n" << error_of(line);
  }
}

TEST(Baseline, AnyTextIsReadOrRefused) {
  base::Random random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(kTwo);
    for (int change = 0; change < 3; ++change) {
      const std::size_t at = random.below(text.size());
      if (random.below(2) == 0) text.resize(at + 1);
      text[at] = static_cast<char>(random.below(256));
    }
    if (const auto entries = parse_baseline(text, "f"); !entries) {
      EXPECT_TRUE(entries.error().what.starts_with("f:"));
    }
  }
}

findings::Report numbered() {
  findings::Report report = test::figure();
  for (std::size_t i = 0; i < report.findings.size(); ++i) report.findings[i].fingerprint = 100 + i;
  return report;
}

TEST(Baseline, RoundTripAcceptsEverything) {
  findings::Report report = numbered();
  const auto entries = parse_baseline(baseline_text(report, {}), "f");
  ASSERT_TRUE(entries) << entries.error().what;
  apply_baseline("f", *entries, report);
  for (const findings::Finding& finding : report.findings) EXPECT_TRUE(finding.accepted);
  ASSERT_TRUE(report.baseline);
  EXPECT_EQ(report.baseline->file, "f");
  EXPECT_TRUE(report.baseline->stale.empty());
}

TEST(Baseline, LinesAreSortedAndKeepTheirComments) {
  findings::Report report = numbered();
  std::vector<BaselineEntry> earlier(1);
  earlier[0].fingerprint = 100;
  earlier[0].comment = "NET-12";
  const std::string text = baseline_text(report, earlier);
  const auto lines = base::split(text, '\n');
  ASSERT_EQ(lines.size(), 5u) << text;
  EXPECT_EQ(lines[2], "0000000000000064 error flood-leak \"server/vmnet0\"  # NET-12");
  EXPECT_EQ(lines[3], "0000000000000065 warning segment-over-wan \"ether\"");
  std::swap(report.findings[0], report.findings[1]);
  EXPECT_EQ(baseline_text(report, earlier), text) << "whatever the order of the report";
}

TEST(Baseline, WhatGotWorseIsNew) {
  findings::Report report = numbered();
  auto entries = *parse_baseline(baseline_text(report, {}), "f");
  entries[0].severity = Severity::kWarning;  // the leak was a trickle then
  apply_baseline("f", entries, report);
  EXPECT_FALSE(report.findings[0].accepted);
  EXPECT_TRUE(report.findings[1].accepted);
  EXPECT_TRUE(report.baseline->stale.empty()) << "it is there, only worse";
}

TEST(Baseline, WhatIsGoneIsStale) {
  findings::Report report = numbered();
  const auto entries = parse_baseline(kTwo, "f");
  apply_baseline("f", *entries, report);
  ASSERT_EQ(report.baseline->stale.size(), 2u);
  EXPECT_EQ(report.baseline->stale[0].line, 3u);
  EXPECT_EQ(report.baseline->stale[0].code, "flood-leak");
  EXPECT_EQ(report.baseline->stale[0].where, "server/vmnet0");
  report.interrupted = true;
  apply_baseline("f", *entries, report);
  EXPECT_TRUE(report.baseline->stale.empty()) << "it may only not have been found yet";
}

TEST(Baseline, ALineThatAMergeDoubledIsFine) {
  findings::Report report = numbered();
  const std::string text = baseline_text(report, {});
  const auto entries = parse_baseline(text + text, "f");
  apply_baseline("f", *entries, report);
  EXPECT_TRUE(report.findings[0].accepted);
  EXPECT_TRUE(report.baseline->stale.empty());
}

TEST(Baseline, HostileNamesStayOnTheirLine) {
  findings::Report report = test::hostile();
  report.findings[0].where = "sw1\n00000000000000ff error loop \"x\" \x1b[2J\xff\"\\ # ";
  const std::string text = baseline_text(report, {});
  EXPECT_EQ(base::split(text, '\n').size(), 2 + report.findings.size() + 1) << text;
  const auto entries = parse_baseline(text, "f");
  ASSERT_TRUE(entries) << entries.error().what;
  EXPECT_EQ(entries->size(), report.findings.size());
}

}  // namespace
}  // namespace sekimori::report

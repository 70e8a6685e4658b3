#include "report/text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "report/test_support.h"
#include "report/typeset.h"
#include "report/verdict.h"

namespace sekimori::report {
namespace {

// SEKIMORI_UPDATE_GOLDEN=1 writes the files anew; look at the difference before you commit it.
void expect_golden(const std::string& name, const std::string& got) {
  const std::string path = "src/report/golden/" + name;
  if (std::getenv("SEKIMORI_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << got;
  std::ifstream file(path);
  ASSERT_TRUE(file) << path << " (tests run from the source tree)";
  std::ostringstream want;
  want << file.rdbuf();
  EXPECT_EQ(got, want.str()) << path;
}

constexpr TextOptions kAscii{.utf8 = false};
constexpr TextOptions kNarrow{.width = 40};
constexpr TextOptions kQuiet{.width = 0, .verbosity = Verbosity::kQuiet};

TEST(Text, Golden) {
  expect_golden("figure.txt", text(test::figure(), {}));
  expect_golden("figure_ascii.txt", text(test::figure(), kAscii));
  expect_golden("figure_40.txt", text(test::figure(), kNarrow));
  expect_golden("figure_200.txt", text(test::figure(), {.width = 200}));
  expect_golden("figure_colour.txt", text(test::figure(), {.colour = true}));
  expect_golden("figure_quiet.txt", text(test::figure(), kQuiet));
  expect_golden("baseline.txt", text(test::figure_with_baseline(), {}));
  expect_golden("baseline_quiet.txt", text(test::figure_with_baseline(), kQuiet));
  expect_golden("clean.txt", text(test::clean(), {}));
  expect_golden("undecided.txt", text(test::undecided(), {}));
  expect_golden("many.txt", text(test::many(1000), {}));
  expect_golden("hostile.txt", text(test::hostile(), {}));
}

// Drops what a terminal takes as colour.
std::string without_colour(std::string text) {
  for (std::size_t at; (at = text.find('\x1b')) != std::string::npos;)
    text.erase(at, text.find('m', at) + 1 - at);
  return text;
}

std::vector<findings::Report> all_reports() {
  return {test::clean(),    test::figure(),  test::undecided(),
          test::many(1000), test::hostile(), findings::Report{}};
}

TEST(Text, NoLineIsWiderThanThePage) {
  for (const findings::Report& report : all_reports()) {
    for (const std::size_t width : {20u, 30u, 40u, 60u, 80u, 200u}) {
      for (const bool utf8 : {false, true}) {
        const std::string page = text(report, {.width = width, .utf8 = utf8});
        for (const std::string_view line : base::split(page, '\n')) EXPECT_LE(columns(line), width) << line;
      }
    }
  }
}

TEST(Text, OnlyNewlinesAndPrintableCharacters) {
  for (const findings::Report& report : all_reports()) {
    for (const Verbosity verbosity : {Verbosity::kQuiet, Verbosity::kNormal, Verbosity::kAll}) {
      const std::string plain = text(report, {.verbosity = verbosity});
      for (const char c : plain) EXPECT_TRUE(c == '\n' || (c >= ' ' || c < 0)) << int{c};
      EXPECT_EQ(plain.find("\xc2\x9b"), std::string::npos);
      EXPECT_EQ(plain.find("\xe2\x80\xae"), std::string::npos);
      const std::string ascii = text(report, {.utf8 = false, .verbosity = verbosity});
      for (const char c : ascii) EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << int{c};
    }
  }
}

TEST(Text, ColourChangesNothingElse) {
  for (const findings::Report& report : all_reports()) {
    for (const std::size_t width : {40u, 80u}) {
      EXPECT_EQ(without_colour(text(report, {.width = width, .colour = true})),
                text(report, {.width = width}));
    }
  }
}

TEST(Text, HostileNamesForgeNoLine) {
  const std::string page = text(test::hostile(), {});
  for (const std::string_view line : base::split(page, '\n')) {
    EXPECT_FALSE(line.starts_with("CLEAN")) << line;
  }
  EXPECT_LT(page.size(), 20'000u);
}

TEST(Text, QuietIsOneLinePerFinding) {
  for (const findings::Report& report : all_reports()) {
    const auto lines = base::split(text(report, kQuiet), '\n');
    const std::size_t told = report.findings.size() - count(report).accepted;
    const std::size_t known = report.baseline ? 2 : 0;
    EXPECT_EQ(lines.size(), 1 + told + known + 1) << "the verdict, the findings, the baseline, and the end";
  }
}

TEST(Text, AllTellsAll) {
  const std::string page = text(test::many(200), {.verbosity = Verbosity::kAll});
  EXPECT_NE(page.find("200/200 ERROR"), std::string::npos);
  EXPECT_NE(page.find("sw0:1 → core:0 "), std::string::npos);
}

TEST(Text, AcceptedFindingsAreToldInShort) {
  findings::Report report = test::figure_with_baseline();
  EXPECT_EQ(worst(report), &report.findings[0]);
  EXPECT_EQ(verdict_of(report), Verdict::kBroken);
  report.findings[0].accepted = "";
  EXPECT_EQ(worst(report), nullptr);
  EXPECT_EQ(verdict_of(report), Verdict::kClean);
  const std::string page = text(report, {.width = 200});
  EXPECT_TRUE(page.starts_with("CLEAN: nothing new\n")) << page;
  EXPECT_NE(page.find("2 known findings are accepted by known.baseline\n"), std::string::npos) << page;
  EXPECT_EQ(page.find("flood-leak"), std::string::npos) << page;
  const std::string all = text(report, {.width = 200, .verbosity = Verbosity::kAll});
  EXPECT_NE(all.find("warning segment-over-wan: "), std::string::npos) << all;
  EXPECT_NE(all.find("(# the WAN stays as it is, NET-12)\n"), std::string::npos) << all;
}

TEST(Text, FailsFromAThresholdUp) {
  findings::Report report;
  report.findings.resize(2);
  report.findings[0].severity = findings::Severity::kNote;
  report.findings[1].severity = findings::Severity::kWarning;
  EXPECT_TRUE(fails(report, findings::Severity::kNote));
  EXPECT_TRUE(fails(report, findings::Severity::kWarning));
  EXPECT_FALSE(fails(report, findings::Severity::kError));
  EXPECT_FALSE(fails(report, std::nullopt));
  report.findings[1].accepted = "";
  EXPECT_FALSE(fails(report, findings::Severity::kWarning));
}

TEST(Text, InterruptedIsNotClean) {
  findings::Report report = test::clean();
  report.interrupted = true;
  const std::string page = text(report, {});
  EXPECT_TRUE(page.starts_with("NOT KNOWN: nothing found (interrupted after 900s; there may be more)\n"))
      << page;
}

TEST(Text, WarningsWillBreakAndNotesAreClean) {
  findings::Report report;
  report.findings.resize(1);
  report.findings[0].severity = findings::Severity::kWarning;
  EXPECT_TRUE(text(report, {}).starts_with("WILL BREAK: 1 warning\n"));
  report.findings[0].severity = findings::Severity::kNote;
  EXPECT_TRUE(text(report, {}).starts_with("CLEAN: 1 note\n"));
}

}  // namespace
}  // namespace sekimori::report

// The program as pipelines use it: check, --fail-on, baselines and SARIF, in this process.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/exit.h"
#include "cli/report_output.h"
#include "tests/support/folder.h"

namespace sekimori::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A site of clean hosts on one switch; what follows in the tests adds faults of each severity.
constexpr std::string_view kHosts =
    "sekimori: 1\n"
    "switches: {sw1: {}, sw2: {}}\n"
    "hosts:\n"
    "  a: {nics: {eth0: {mac: \"02:00:00:00:00:01\", ip: 10.0.0.1/24}}}\n"
    "  b: {nics: {eth0: {mac: \"02:00:00:00:00:02\", ip: 10.0.0.2/24}}}\n";
constexpr std::string_view kLinks =
    "links:\n"
    "  - [a:eth0, sw1:1]\n"
    "  - [b:eth0, sw1:2]\n";
// A note: a guest and other machines in one segment.
constexpr std::string_view kGuest =
    "  h:\n"
    "    nics: {eth0: {}}\n"
    "    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}\n"
    "    guests: {g: {nics: {net0: {on: br0, ip: 10.0.0.9/24}}}}\n";
constexpr std::string_view kGuestLink = "  - [h:eth0, sw1:3]\n";
// A warning: the MAC of a in another segment. An error: in the same.
constexpr std::string_view kTwin = "  twin: {nics: {eth0: {mac: \"02:00:00:00:00:01\", ip: 10.0.0.8/24}}}\n";

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() {
    write("clean.yaml", site("", ""));
    write("note.yaml", site(kGuest, kGuestLink));
    write("warning.yaml", site(kTwin, "  - [twin:eth0, sw2:1]\n"));
    write("error.yaml", site(kTwin, "  - [twin:eth0, sw1:4]\n"));
  }

  static std::string site(std::string_view hosts, std::string_view links) {
    return std::string(kHosts).append(hosts).append(kLinks).append(links);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, std::string_view text) const { std::ofstream(path(name)) << text; }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(path(name)).rdbuf();
    return text.str();
  }

  int run(const std::vector<std::string>& arguments) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int exit = run_command_line(arguments);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return exit;
  }
  int check(const std::string& file, std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"check", path(file)});
    return run(options);
  }

  testing::Folder folder_;
  std::string out_, err_;
};

TEST_F(PipelineTest, CheckJudgesWithoutARun) {
  EXPECT_EQ(check("clean.yaml"), kClean) << out_ << err_;
  EXPECT_TRUE(out_.starts_with("CLEAN: nothing found\n")) << out_;
  EXPECT_EQ(out_.find("fingerprint"), std::string::npos) << "there was no run";
  EXPECT_EQ(check("error.yaml", {"--quiet"}), kFindings);
  EXPECT_EQ(base::split(out_, '\n').size(), 3u) << out_;
  EXPECT_NE(out_.find("\nerror mac-duplicate: "), std::string::npos) << out_;
  EXPECT_EQ(check("error.yaml", {"--json"}), kFindings);
  const json report = json::parse(out_);
  EXPECT_EQ(report["verdict"], "broken");
  EXPECT_EQ(report["simulated_s"], nullptr);
  EXPECT_EQ(report["findings"][0]["code"], "mac-duplicate");
  EXPECT_EQ(check("missing.yaml"), kBadInput);
  EXPECT_EQ(check("clean.yaml", {"--until", "3s"}), kBadInput) << "there is nothing to run";
  EXPECT_EQ(check("clean.yaml", {"--json=/dev/full"}), kFailed);
}

TEST_F(PipelineTest, CheckAndDiagnoseNumberTheSameFaultAlike) {
  check("error.yaml", {"--json"});
  const json checked = json::parse(out_);
  run({"diagnose", path("error.yaml"), "--until", "5s", "--no-remedies", "--json"});
  const json diagnosed = json::parse(out_);
  EXPECT_EQ(checked["findings"][0]["fingerprint"], diagnosed["findings"][0]["fingerprint"]);
}

TEST_F(PipelineTest, FailOnEachLevel) {
  const struct {
    const char* level;
    bool note, warning, error;
  } kFails[] = {{"note", true, true, true},
                {"warning", false, true, true},
                {"error", false, false, true},
                {"never", false, false, false}};
  for (const auto& expected : kFails) {
    SCOPED_TRACE(expected.level);
    const std::vector<std::string> option = {"--fail-on", expected.level};
    EXPECT_EQ(check("clean.yaml", option), kClean);
    EXPECT_EQ(check("note.yaml", option), expected.note ? kFindings : kClean);
    EXPECT_EQ(check("warning.yaml", option), expected.warning ? kFindings : kClean);
    EXPECT_EQ(check("error.yaml", option), expected.error ? kFindings : kClean);
    EXPECT_TRUE(out_.starts_with("BROKEN")) << "the level judges the exit code only";
    EXPECT_EQ(run({"diagnose", path("note.yaml"), "--until", "1s", "--fail-on", expected.level}),
              expected.note ? kFindings : kClean);
  }
  EXPECT_EQ(check("note.yaml"), kClean) << "warning is the default";
  EXPECT_EQ(check("warning.yaml"), kFindings);
  EXPECT_EQ(check("error.yaml", {"--fail-on", "fatal"}), kBadInput);
}

TEST_F(PipelineTest, BaselineRoundTrip) {
  const std::string known = path("known.baseline");
  EXPECT_EQ(check("error.yaml", {"--write-baseline", known}), kFindings)
      << "accepted from now on, not before";
  const std::string written = read("known.baseline");
  EXPECT_NE(written.find(" error mac-duplicate \"a:eth0 and twin:eth0\"\n"), std::string::npos) << written;
  EXPECT_EQ(check("error.yaml", {"--baseline", known}), kClean) << out_;
  EXPECT_TRUE(out_.starts_with("CLEAN: nothing new\n")) << out_;
  EXPECT_NE(out_.find("1 known finding is accepted"), std::string::npos) << out_;
  EXPECT_EQ(check("error.yaml", {"--baseline", known, "--fail-on", "note"}), kClean);
  EXPECT_EQ(check("error.yaml", {"--baseline", known, "--json"}), kClean);
  EXPECT_EQ(json::parse(out_)["findings"][0]["accepted"], true);
  EXPECT_EQ(read("known.baseline"), written) << "reading it changes nothing";
}

TEST_F(PipelineTest, BaselineOutlivesUnrelatedEdits) {
  const std::string known = path("known.baseline");
  check("error.yaml", {"--write-baseline", known});
  std::string edited = "# a comment\n\n" + site(std::string(kGuest).append(kTwin),
                                                std::string(kGuestLink) + "  - [twin:eth0, sw1:7]\n");
  write("error.yaml", edited);
  EXPECT_EQ(check("error.yaml", {"--baseline", known}), kClean) << out_;
  EXPECT_NE(out_.find("1 known finding is accepted"), std::string::npos) << out_;
  EXPECT_NE(out_.find("NOTE segment-mixed"), std::string::npos) << "what is new is told";
  edited += "  - [sw1:20, sw2:20]\n  - [sw1:21, sw2:21]\n";
  write("error.yaml", edited);
  EXPECT_EQ(check("error.yaml", {"--baseline", known}), kFindings);
  EXPECT_TRUE(out_.starts_with("BROKEN: 1 error and 1 note\n")) << out_;
}

TEST_F(PipelineTest, StaleEntriesAreTold) {
  const std::string known = path("known.baseline");
  check("error.yaml", {"--write-baseline", known});
  EXPECT_EQ(check("clean.yaml", {"--baseline", known, "--json"}), kClean);
  EXPECT_EQ(json::parse(out_)["baseline"]["stale"][0]["code"], "mac-duplicate");
  EXPECT_EQ(run({"diagnose", path("clean.yaml"), "--until", "1s", "-q", "--baseline", known}), kClean);
  EXPECT_NE(out_.find("is not found any more"), std::string::npos) << out_;
  EXPECT_EQ(check("clean.yaml", {"--baseline", known, "-q"}), kClean);
  EXPECT_NE(out_.find("is not found without a run"), std::string::npos) << out_;
}

TEST_F(PipelineTest, CommentsSurviveRewriting) {
  const std::string known = path("known.baseline");
  check("error.yaml", {"--write-baseline", known});
  std::string text = read("known.baseline");
  text.insert(text.size() - 1, "  # NET-12");
  write("known.baseline", text);
  EXPECT_EQ(check("error.yaml", {"--baseline", known, "--write-baseline", known}), kClean);
  EXPECT_EQ(read("known.baseline"), text);
  check("error.yaml", {"--write-baseline", known});
  EXPECT_EQ(read("known.baseline"), text) << "also of the file that is replaced";
  check("error.yaml", {"--baseline", known, "--sarif"});
  EXPECT_EQ(json::parse(out_)["runs"][0]["results"][0]["suppressions"][0]["justification"], "NET-12");
}

TEST_F(PipelineTest, AnInterruptedRunWritesNoBaseline) {
  ReportArguments arguments;
  arguments.write_baseline = path("known.baseline");
  auto output = ReportOutput::prepare(arguments, path("error.yaml"));
  ASSERT_TRUE(output) << output.error().message;
  findings::Report report;
  report.interrupted = true;
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(output->tell(report));
  EXPECT_NE(::testing::internal::GetCapturedStdout().find("note: Interrupted: "), std::string::npos);
  EXPECT_FALSE(fs::exists(path("known.baseline")));
}

TEST_F(PipelineTest, DamagedBaseline) {
  write("known.baseline", "# fine\n\nxyz error loop \"sw1\"\n");
  const std::string known = path("known.baseline");
  EXPECT_EQ(check("error.yaml", {"--baseline", known}), kBadInput);
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(err_, "sekimori: " + known +
                      ":3: a fingerprint of 16 hexadecimal digits is expected, not \"xyz\".\n"
                      "A line is: FINGERPRINT SEVERITY CODE \"WHERE\"  # comment\n");
  EXPECT_EQ(check("error.yaml", {"--baseline", path("missing")}), kBadInput);
  EXPECT_NE(err_.find("there is no such baseline"), std::string::npos) << err_;
  EXPECT_EQ(check("error.yaml", {"--baseline", folder_.path().string()}), kBadInput);
}

TEST_F(PipelineTest, OtherFilesAreNotOverwritten) {
  const std::string known = path("known.baseline"), clean = read("clean.yaml");
  EXPECT_EQ(check("error.yaml", {"--write-baseline", path("clean.yaml")}), kBadInput);
  EXPECT_NE(err_.find("It is not overwritten."), std::string::npos) << err_;
  EXPECT_EQ(read("clean.yaml"), clean);
  check("error.yaml", {"--write-baseline", known});
  const std::string written = read("known.baseline");
  EXPECT_EQ(check("error.yaml", {"--baseline", known, "--sarif=" + known}), kBadInput);
  EXPECT_EQ(check("error.yaml", {"--baseline", known, "--json=" + known}), kBadInput);
  EXPECT_EQ(check("error.yaml", {"--json", "--sarif"}), kBadInput) << "two outputs for one place";
  EXPECT_EQ(check("error.yaml", {"--write-baseline", path("no/folder/f")}), kFailed);
  EXPECT_EQ(read("known.baseline"), written);
}

TEST_F(PipelineTest, SarifToStdoutOrBesidesTheText) {
  EXPECT_EQ(check("error.yaml", {"--sarif"}), kFindings);
  const std::string sarif = out_;
  const json log = json::parse(sarif);
  EXPECT_EQ(log["version"], "2.1.0");
  const json& result = log["runs"][0]["results"][0];
  EXPECT_EQ(result["ruleId"], "mac-duplicate");
  EXPECT_EQ(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "file://" + path("error.yaml"));
  EXPECT_EQ(result["locations"][0]["physicalLocation"]["region"]["startLine"], 6);
  EXPECT_EQ(check("error.yaml", {"--sarif=" + path("r.sarif")}), kFindings);
  EXPECT_TRUE(out_.starts_with("BROKEN")) << out_;
  EXPECT_EQ(read("r.sarif"), sarif);
  EXPECT_EQ(run({"diagnose", path("error.yaml"), "--until", "1s", "--no-remedies", "--sarif"}), kFindings);
  EXPECT_EQ(json::parse(out_)["runs"][0]["results"][0]["partialFingerprints"], result["partialFingerprints"]);
}

TEST_F(PipelineTest, CompletionKnowsTheOptions) {
  run({"completion", "bash"});
  write("c.bash", out_ +
                      "try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _sekimori; "
                      "echo \"${COMPREPLY[@]}\"; }\n"
                      "try sekimori ch\n"
                      "try sekimori check --sa\n"
                      "try sekimori check --fail-on ''\n"
                      "try sekimori diagnose --fail-on n\n"
                      "try sekimori diagnose --write\n");
  std::FILE* bash = popen(("bash " + path("c.bash")).c_str(), "r");
  ASSERT_NE(bash, nullptr);
  char text[256];
  const std::size_t length = std::fread(text, 1, sizeof text, bash);
  EXPECT_EQ(pclose(bash), 0);
  EXPECT_EQ(std::string(text, length),
            "check\n--sarif\nnote warning error never\nnote never\n--write-baseline\n");
}

}  // namespace
}  // namespace sekimori::cli

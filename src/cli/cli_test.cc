// The program as its users call it, in this process.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "cli/captures.h"
#include "cli/command_line.h"
#include "cli/exit.h"
#include "cli/run_numbers.h"

namespace sekimori::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSite = R"(
sekimori: 1
title: Two desks
hosts:
  a: {nics: {eth0: {ip: 10.0.0.1/24}}}
  b: {nics: {eth0: {ip: 10.0.0.2/24}}}
switches:
  sw1: {kind: switch}
links:
  - [a:eth0, sw1:1]
  - [b:eth0, sw1:2]
traffic:
  - {from: a, to: b, kind: tcp, rate: 1Mbit/s}
)";

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class CliTest : public testing::Test {
 protected:
  CliTest() {
    std::string pattern = (fs::temp_directory_path() / "sekimori-cli-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    std::ofstream(path("site.yaml")) << kSite;
  }
  ~CliTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  int run(const std::vector<std::string>& arguments) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int exit = run_command_line(arguments);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return exit;
  }

  fs::path folder_;
  std::string out_, err_;
};

TEST_F(CliTest, HelpAndVersion) {
  EXPECT_EQ(run({"--version"}), kClean);
  EXPECT_TRUE(out_.starts_with("sekimori "));
  EXPECT_EQ(run({"--help"}), kClean);
  EXPECT_NE(out_.find("\n  diagnose "), std::string::npos);
  EXPECT_NE(out_.find("130  interrupted"), std::string::npos);
  for (const VerbText& verb : describe_verbs()) {
    EXPECT_EQ(run({verb.name, "--help"}), kClean);
    EXPECT_NE(out_.find("Usage: sekimori " + verb.name), std::string::npos) << out_;
    EXPECT_NE(out_.find("Examples:"), std::string::npos) << out_;
    for (const std::string_view line : base::split(out_, '\n')) EXPECT_LE(line.size(), 100u) << line;
  }
  EXPECT_EQ(run({}), kBadInput);
  EXPECT_TRUE(out_.empty());
}

TEST_F(CliTest, DocumentationKnowsEveryVerbAndOption) {
  const std::string docs = content("docs/cli.md");
  for (const VerbText& verb : describe_verbs()) {
    const std::size_t start = docs.find("\n## " + verb.name + "\n");
    ASSERT_NE(start, std::string::npos) << verb.name;
    const std::string section = docs.substr(start, docs.find("\n## ", start + 1) - start);
    for (const OptionText& option : verb.options) {
      if (verb.name == "completion" || option.names.empty()) continue;
      EXPECT_NE(section.find("`" + option.names.back()), std::string::npos)
          << verb.name << " " << option.names.back();
    }
  }
}

TEST_F(CliTest, SlipsGetTheNearestWord) {
  EXPECT_EQ(run({"diagnoes"}), kBadInput);
  EXPECT_EQ(err_, "sekimori: There is no verb \"diagnoes\". Did you mean diagnose?\n");
  EXPECT_EQ(run({path("site.yaml")}), kBadInput);
  EXPECT_NE(err_.find("\"sekimori diagnose " + path("site.yaml")), std::string::npos) << err_;
  EXPECT_EQ(run({"diagnose", path("site.yaml"), "--untl", "3s"}), kBadInput);
  EXPECT_TRUE(err_.starts_with("sekimori: diagnose has no option --untl: did you mean --until?\n")) << err_;
  EXPECT_EQ(run({"\x1b[2Jx"}), kBadInput);
  EXPECT_EQ(err_.find('\x1b'), std::string::npos);
}

TEST_F(CliTest, BadUsage) {
  const std::string site = path("site.yaml");
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"diagnose"},
           {"diagnose", site, "extra"},
           {"diagnose", site, "--until"},
           {"diagnose", site, "--until", "900"},
           {"diagnose", site, "--until", "0s"},
           {"diagnose", site, "--until", "-1s"},
           {"diagnose", site, "--color", "blue"},
           {"diagnose", site, "--threads", "0"},
           {"diagnose", site, "--seed", "x"},
           {"diagnose", site, "--seed", "-1"},
           {"diagnose", path("missing.yaml")},
           {"diagnose", folder_.string()},
           {"diagnose", site, "--json=" + site},
           {"simulate", site, "--capture", "sw1:1"},
           {"simulate", site, "--capture", "=x"},
           {"simulate", site, "--capture", "sw1:1="},
           {"simulate", site, "--series", "-", "--json"},
           {"simulate", site, "--until", "100d", "--series", path("s"), "--every", "1us"},
           {"completion", "tcsh"},
           {"explain", site},
           {"lab"},
           {"lab", "fly", site},
           {"lab", "plan"},
           {"lab", "up", path("missing.yaml")},
           {"lab", "plan", site, "--name", "a/b"},
           {"lab", "plan", site, "--scale", "2"},
           {"lab", "down"},
       }) {
    EXPECT_EQ(run(arguments), kBadInput) << arguments.back();
    EXPECT_TRUE(out_.empty()) << out_;
    EXPECT_TRUE(err_.starts_with("sekimori: ")) << err_;
  }
  EXPECT_EQ(content(site), kSite);
  EXPECT_FALSE(fs::exists(path("s")));
}

TEST_F(CliTest, MacsFromPoolToRelease) {
  const std::string db = path("macs.db");
  const auto mac = [&](std::vector<std::string> words, const std::string& verb = "allocate") {
    words.insert(words.begin(), {"mac", verb});
    words.insert(words.end(), {"--registry", db});
    return run(words);
  };
  EXPECT_EQ(mac({}), kBadInput);
  EXPECT_NE(err_.find("mac pool add"), std::string::npos);
  EXPECT_FALSE(fs::exists(db)) << "a mistyped name must not begin a registry";
  EXPECT_EQ(run({"mac", "pool", "add", "lab", "02:ab:00:00:00:00/24", "--registry", db}), kClean) << err_;
  EXPECT_EQ(run({"mac", "pool", "add", "more", "02:ab:00:00:10:00/44", "--registry", db}), kBadInput);
  EXPECT_NE(err_.find("lab"), std::string::npos);
  EXPECT_EQ(mac({"--count", "3"}), kClean);
  EXPECT_EQ(base::split(out_, '\n').size(), 4u) << out_;
  EXPECT_EQ(mac({"--owner", "vc1/vm-7/net0"}), kClean);
  const std::string first = out_;
  EXPECT_EQ(mac({"--owner", "vc1/vm-7/net0"}), kClean);
  EXPECT_EQ(out_, first);
  EXPECT_EQ(mac({first.substr(0, 17)}, "lookup"), kClean);
  EXPECT_NE(out_.find("allocated to vc1/vm-7/net0"), std::string::npos) << out_;
  EXPECT_EQ(mac({"02:ab:00:00:00:01", "--note", "by hand"}, "reserve"), kClean) << err_;
  EXPECT_EQ(mac({"02:ab:00:00:00:01", "--owner", "a/b/c"}, "reserve"), kBadInput);
  EXPECT_EQ(mac({"--csv=" + path("all.csv")}, "list"), kClean);
  EXPECT_EQ(run({"mac", "audit", path("all.csv"), "--registry", db}), kClean) << out_;
  EXPECT_EQ(mac({"--owner", "vc1"}, "release"), kClean) << err_;
  EXPECT_EQ(mac({"--state", "freed", "--json"}, "list"), kClean);
  EXPECT_NE(out_.find("\"sekimori_mac\": 1"), std::string::npos);
  EXPECT_NE(out_.find(first.substr(0, 17)), std::string::npos);
  EXPECT_EQ(mac({"--count", "0"}), kBadInput);
  EXPECT_EQ(mac({"--owner", "vc1"}), kBadInput);
  EXPECT_EQ(run({"mac"}), kBadInput);
  EXPECT_EQ(run({"mac", "--help"}), kClean);
  EXPECT_EQ(run({"mac", "alocate"}), kBadInput);
  EXPECT_NE(err_.find("Did you mean mac allocate?"), std::string::npos) << err_;
}

TEST_F(CliTest, MacAuditAndFix) {
  std::ofstream(path("pve.csv")) << "vmid,vm,nic,mac,segment,power\n"
                                    "101,web,net0,bc:24:11:00:00:01,10,running\n"
                                    "102,web2,net0,bc24.1100.0001,10,stopped\n"
                                    "103,web3,net0,BC-24-11-00-00-01,10,running\n";
  EXPECT_EQ(run({"mac", "audit", path("pve.csv"), path("site.yaml"), "--quiet"}), kFindings);
  EXPECT_TRUE(out_.starts_with("BROKEN: 1 error")) << out_;
  EXPECT_EQ(run({"mac", "audit", path("site.yaml")}), kClean) << out_;
  EXPECT_EQ(run({"mac", "fix", path("site.yaml")}), kClean);
  EXPECT_EQ(run({"mac", "fix", path("pve.csv")}), kFindings);
  EXPECT_LT(out_.find("qm set 102"), out_.find("qm set 103")) << "who is off first\n" << out_;
  EXPECT_EQ(out_.find("qm set 101"), std::string::npos);
  EXPECT_EQ(run({"mac", "fix", path("pve.csv"), "--manager", "pve=xen"}), kBadInput);
  EXPECT_EQ(run({"mac", "audit", path("missing.csv")}), kBadInput);
  std::ofstream(path("bad.csv")) << "vm,mac\na,02:00:00:00:00:0g\n";
  EXPECT_EQ(run({"mac", "audit", path("bad.csv"), path("site.yaml")}), kBadInput);
  EXPECT_NE(out_.find("bad.csv:2"), std::string::npos) << out_;
  // Nothing is left that could be clean.
  EXPECT_EQ(run({"mac", "audit", path("bad.csv")}), kBadInput);
  EXPECT_EQ(out_, "");
  EXPECT_NE(err_.find("bad.csv:2"), std::string::npos) << err_;
  std::filesystem::create_directory(path("none"));
  for (const char* verb : {"audit", "fix"}) {
    EXPECT_EQ(run({"mac", verb, path("none")}), kBadInput);
    EXPECT_NE(err_.find("none: there are no files"), std::string::npos) << err_;
  }
}

TEST_F(CliTest, DiagnoseTextAndJson) {
  const std::string site = path("site.yaml");
  const int exit = run({"diagnose", site, "--until", "10s"});
  EXPECT_EQ(exit, kClean) << out_ << err_;
  EXPECT_TRUE(out_.starts_with("CLEAN")) << out_;
  EXPECT_TRUE(err_.empty()) << err_;
  EXPECT_EQ(run({"diagnose", site, "--until", "10s", "--json"}), kClean);
  EXPECT_TRUE(out_.starts_with("{\n  \"sekimori_report\": 1,")) << out_;
  const std::string json = out_;
  EXPECT_EQ(run({"diagnose", "--json=" + path("r.json"), site, "--until", "10s", "--quiet"}), kClean);
  EXPECT_TRUE(out_.starts_with("CLEAN")) << out_;
  EXPECT_EQ(content(path("r.json")), json) << "same site, same bytes";
}

TEST_F(CliTest, OutputThatCannotBeWritten) {
  const std::string site = path("site.yaml");
  EXPECT_EQ(run({"diagnose", site, "--until", "1s", "--json=/dev/full"}), kFailed);
  EXPECT_EQ(err_, "sekimori: /dev/full: can't be written: No space left on device.\n");
  EXPECT_EQ(run({"diagnose", site, "--json=" + path("no/folder/r.json")}), kFailed);
  EXPECT_TRUE(out_.empty()) << "it is found out before the work";
  EXPECT_EQ(run({"simulate", site, "--until", "5s", "--capture", "sw1:1=/dev/full"}), kFailed);
}

TEST_F(CliTest, SimulateWritesSeriesAndCaptures) {
  const std::string site = path("site.yaml");
  ASSERT_EQ(run({"simulate", site, "--until", "5s", "--series", path("s.csv"), "--capture",
                 "sw1:1=" + path("c.pcapng"), "--capture", "b:eth0=" + path("c.pcapng"),
                 "--json=" + path("r.json")}),
            kClean)
      << err_;
  EXPECT_NE(out_.find("fingerprint"), std::string::npos);
  const std::string series = content(path("s.csv"));
  EXPECT_TRUE(series.starts_with("time_s,kind,name,from,to,wanted_mbit,")) << series;
  const auto lines = base::split(series, '\n');
  ASSERT_EQ(lines.size(), 1u + 5 * (4 + 1) + 1) << "four directions and a flow for five seconds";
  for (std::size_t i = 0; i + 1 < lines.size(); ++i)
    EXPECT_EQ(base::split(lines[i], ',').size(), 12u) << lines[i];
  EXPECT_NE(series.find("\n5,flow,tcp a -> b,a,b,,,,"), std::string::npos) << series;
  const std::string capture = content(path("c.pcapng"));
  EXPECT_TRUE(capture.starts_with("\x0a\x0d\x0d\x0a"));
  EXPECT_NE(capture.find("sw1:1"), std::string::npos);
  EXPECT_NE(capture.find("b:eth0"), std::string::npos);
  EXPECT_TRUE(content(path("r.json")).starts_with("{\n  \"sekimori_run\": 1,"));
  ASSERT_EQ(run({"simulate", site, "--until", "5s", "--series", "-"}), kClean);
  EXPECT_EQ(out_, series);
}

// The summary has a table for everything that can happen in a run; floods once had a column too many.
TEST_F(CliTest, SimulateTellsOfFloodsAndLeaks) {
  ASSERT_EQ(run({"simulate", "examples/hosted-server/site.yaml", "--until", "310s"}), kClean) << err_;
  EXPECT_NE(out_.find("unknown unicast, flooded"), std::string::npos) << out_;
  EXPECT_NE(out_.find("sent out of the uplink"), std::string::npos);
}

TEST_F(CliTest, UnknownPortGetsTheNearest) {
  EXPECT_EQ(run({"simulate", path("site.yaml"), "--capture", "sw1:3=" + path("x")}), kBadInput);
  EXPECT_NE(err_.find("no port \"sw1:3\": did you mean sw1:"), std::string::npos) << err_;
  EXPECT_FALSE(fs::exists(path("x")));
}

TEST_F(CliTest, ExplainTextJsonAndQuiet) {
  const std::string site = path("site.yaml");
  ASSERT_EQ(run({"explain", site, "--to", "b", "--json=" + path("e.json")}), kClean) << err_;
  EXPECT_NE(out_.find("\nFrom a:eth0 to b:eth0: tcp a -> b"), std::string::npos) << out_;
  EXPECT_NE(out_.find("\n    does   Forwards them out of 2 (b:eth0).\n"), std::string::npos) << out_;
  EXPECT_TRUE(out_.ends_with("\nWhat a:eth0 sends to b:eth0 arrives, and goes nowhere else.\n")) << out_;
  const std::string json = content(path("e.json"));
  EXPECT_TRUE(json.starts_with("{\n  \"sekimori_explanation\": 1,")) << json;
  EXPECT_NE(json.find("\"cause\": \"refreshed\""), std::string::npos) << json;
  ASSERT_EQ(run({"explain", site, "--to", "b:eth0", "--json"}), kClean);
  EXPECT_EQ(out_, json);
  ASSERT_EQ(run({"explain", site, "--to", "b", "--quiet", "--when", "0s"}), kClean);
  EXPECT_EQ(out_, "What a:eth0 sends to b:eth0 arrives, and goes nowhere else.\n");
  ASSERT_EQ(run({"explain", site, "--to", "b", "--at", "sw1"}), kClean);
  EXPECT_NE(out_.find("what sw1 could hear:"), std::string::npos) << out_;
  EXPECT_EQ(run({"explain", site, "--to", "b", "--json=/dev/full"}), kFailed);
}

TEST_F(CliTest, ExplainKnowsWhoIsMeant) {
  const std::string site = path("nics.yaml");
  std::ofstream(site) << "sekimori: 1\n"
                         "hosts:\n"
                         "  app: {nics: {eth0: {ip: 10.0.0.1/24}, eth1: {ip: 10.0.1.1/24}}}\n"
                         "  desk: {nics: {eth0: {ip: 10.0.0.2/24}}, \n"
                         "    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}}\n"
                         "switches: {sw1: {}}\n"
                         "links: [[app:eth0, sw1:1], [desk:eth0, sw1:2]]\n";
  const auto complaint = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"explain", site});
    EXPECT_EQ(run(options), kBadInput) << out_;
    EXPECT_TRUE(out_.empty()) << out_;
    return err_;
  };
  EXPECT_EQ(complaint({"--to", "app"}),
            "sekimori: --to: app has 2 NICs; write one of app:eth0 and app:eth1.\n");
  EXPECT_EQ(complaint({"--to", "dsek"}),
            "sekimori: --to: the site has no station \"dsek\": did you mean desk?\n");
  EXPECT_NE(complaint({"--to", "app:eht0"}).find("did you mean app:eth0?"), std::string::npos) << err_;
  EXPECT_NE(complaint({"--to", "desk", "--from", "xxxxxxx"})
                .find("its stations are app:eth0, app:eth1 and desk:eth0."),
            std::string::npos)
      << err_;
  EXPECT_NE(complaint({"--to", "sw1"}).find("sw1 is a switch"), std::string::npos) << err_;
  EXPECT_EQ(complaint({"--to", "desk", "--at", "br0"}), "sekimori: --at: write desk/br0.\n");
  EXPECT_NE(complaint({"--to", "desk", "--at", "sw2"}).find("did you mean sw1?"), std::string::npos) << err_;
  EXPECT_NE(complaint({"--to", "desk", "--from", "desk"}).find("the same station"), std::string::npos);
  EXPECT_NE(complaint({}).find("--to"), std::string::npos);
  EXPECT_NE(complaint({"--to", "desk", "--when", "soon"}).find("--when"), std::string::npos);
}

TEST_F(CliTest, ExplainWhenSomethingChanges) {
  const std::string site = path("changes.yaml");
  std::ofstream(site) << std::string(kSite) + "changes:\n  - {at: 60s, stop: b}\n";
  ASSERT_EQ(run({"explain", site, "--to", "b"}), kClean) << err_;
  EXPECT_NE(out_.find("The site as it is 60s after its start."), std::string::npos) << out_;
  EXPECT_NE(out_.find("Nothing arrives at b:eth0: b is off."), std::string::npos) << out_;
  ASSERT_EQ(run({"explain", site, "--to", "b", "--when", "10s", "--quiet"}), kClean);
  EXPECT_EQ(out_, "What a:eth0 sends to b:eth0 arrives, and goes nowhere else.\n");
}

TEST_F(CliTest, LabPlanTextAndJson) {
  const std::string site = path("site.yaml");
  ASSERT_EQ(run({"lab", "plan", site, "--name", "x"}), kClean) << err_;
  EXPECT_NE(out_.find("sekimori.x.a"), std::string::npos) << out_;
  ASSERT_EQ(run({"lab", "plan", site, "--json"}), kClean);
  EXPECT_NE(out_.find("\"namespaces\": ["), std::string::npos) << out_;
  EXPECT_EQ(run({"lab", "plan", site, "--json=/dev/full"}), kFailed);
}

TEST_F(CliTest, CompletionIsGoodBash) {
  ASSERT_EQ(run({"completion", "bash"}), kClean);
  std::ofstream(path("c.bash"))
      << out_ << "COMP_WORDS=(sekimori di); COMP_CWORD=1; _sekimori; echo \"${COMPREPLY[@]}\"\n"
      << "COMP_WORDS=(sekimori diagnose --no); COMP_CWORD=2; _sekimori; echo \"${COMPREPLY[@]}\"\n"
      << "COMP_WORDS=(sekimori diagnose --color a); COMP_CWORD=3; _sekimori; "
      << "echo \"${COMPREPLY[@]}\"\n"
      << "COMP_WORDS=(sekimori lab ''); COMP_CWORD=2; _sekimori; echo \"${COMPREPLY[@]}\"\n"
      << "COMP_WORDS=(sekimori diagnose if : l); COMP_CWORD=4; _sekimori; echo \"${COMPREPLY[@]}\"\n"
      << "COMP_WORDS=(sekimori diagnose if :); COMP_CWORD=3; _sekimori; echo \"${COMPREPLY[@]}\" | grep -wo "
         "lo\n"
      << "COMP_WORDS=(sekimori diagnose if:l); COMP_CWORD=2; _sekimori; echo \"${COMPREPLY[@]}\"\n";
  std::FILE* bash = popen(("bash " + path("c.bash")).c_str(), "r");
  ASSERT_NE(bash, nullptr);
  char text[256];
  const std::size_t length = std::fread(text, 1, sizeof text, bash);
  EXPECT_EQ(pclose(bash), 0);
  EXPECT_EQ(std::string(text, length),
            "diagnose\n--no-remedies\nauto always\nplan up run status down\n"
            "lo\nlo\nif:lo\n");
  for (const std::string shell : {"zsh", "fish"}) {
    EXPECT_EQ(run({"completion", shell}), kClean);
    EXPECT_NE(out_.find("diagnose"), std::string::npos);
  }
}

TEST(RunNumbers, QualityOfAWindow) {
  simulate::FlowCounters before, after;
  before.sent_frames = 100;
  after.sent_frames = 300;
  after.lost_frames = 50;
  after.delivered_frames = 100;
  after.delivered_bytes = 1'250'000;
  after.offered_bytes = 2'500'000;
  after.delay_sum = base::milliseconds(800);
  const findings::FlowQuality q = quality_of(before, after, base::seconds(2));
  EXPECT_DOUBLE_EQ(q.offered_mbit, 10);
  EXPECT_DOUBLE_EQ(q.goodput_mbit, 5);
  EXPECT_DOUBLE_EQ(q.loss_percent, 25);
  EXPECT_DOUBLE_EQ(q.delay_ms, 8);
  const findings::FlowQuality nothing = quality_of(after, after, base::seconds(0));
  EXPECT_EQ(nothing.loss_percent, 0);
  EXPECT_EQ(nothing.delay_ms, 0);
}

}  // namespace
}  // namespace sekimori::cli

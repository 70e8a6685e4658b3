// Folders of exports through the whole program: import, and what the proof says of the site. And this
// machine, asked live inside a network namespace that the test makes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cli/check.h"
#include "cli/site.h"
#include "cli/sources.h"
#include "importers/site.h"

namespace sekimori {
namespace {

using testing::Contains;
using testing::HasSubstr;

struct Judged {
  std::string site;
  std::vector<std::string> findings, remarks, left_out;
};

Judged judge(const std::string& source) {
  const auto imported = cli::import_all({source}, {});
  EXPECT_TRUE(imported) << (imported ? "" : imported.error().message);
  if (!imported) return {};
  const auto model = importers::parse_site(imported->site, source);
  EXPECT_TRUE(model) << (model ? "" : model.error().text());
  Judged judged{imported->site, {}, {}, imported->left_out};
  if (!model) return judged;
  findings::Report report;
  cli::prove(*model, report);
  cli::tell_notes(*model, report);
  for (const findings::Finding& f : report.findings)
    judged.findings.push_back(std::string(findings::entry(f.code).word) + " " + f.where + ": " + f.headline);
  judged.remarks = report.remarks;
  return judged;
}

TEST(Exports, ClonesOfLibvirtAreFound) {
  const Judged judged = judge("tests/data/import/lan");
  EXPECT_THAT(judged.findings, Contains(HasSubstr("mac-duplicate app:net0 and app2:net0")));
  EXPECT_THAT(judged.remarks, Contains(HasSubstr("suspect: server sends to 10.0.0.9")));
}

TEST(Exports, TheLeakOfAHostedHypervisorIsFound) {
  const Judged judged = judge("tests/data/import/office");
  EXPECT_THAT(judged.findings, Contains(HasSubstr("flood-leak ws/bridged-eth0"))) << judged.site;
  EXPECT_THAT(judged.remarks, Contains(HasSubstr("which sw1 has not learnt")));
}

TEST(Exports, OneMacAtTwoManagersIsFound) {
  const Judged judged = judge("tests/data/import/office");
  EXPECT_THAT(judged.findings,
              Contains(testing::AllOf(HasSubstr("mac-duplicate"), HasSubstr("web:net0"), HasSubstr("sql:"))))
      << judged.site;
}

TEST(Exports, AFlowThatBypassesLearningIsFound) {
  EXPECT_THAT(judge("tests/data/import/ovs-bypass").findings, Contains(HasSubstr("flood-bypass node/br0")));
}

// ---------------------------------------------------------------- live

bool run(const std::string& command) { return std::system(command.c_str()) == 0; }

TEST(Exports, ThisMachineIsAskedLive) {
  const std::string ns = "sekimori-import-" + std::to_string(getpid());
  ASSERT_TRUE(run("ip netns add " + ns));
  const std::string ip = "ip -n " + ns + " ";
  const bool made =
      run(ip + "link add name eth0 type veth peer name guest0") &&
      run(ip + "link add name br0 type bridge ageing_time 0") && run(ip + "link set guest0 master br0") &&
      run(ip + "link add name eth1 address 02:00:00:00:09:01 type veth peer name far") &&
      run(ip + "link set eth1 up") && run(ip + "addr add 10.9.0.1/24 dev br0") && run(ip + "link set br0 up");
  std::string site;
  if (made) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      const int fd = open(("/var/run/netns/" + ns).c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) _exit(1);
      const auto imported = cli::import_all({"host:local"}, {});
      const std::string text = imported ? imported->site : "error: " + imported.error().message;
      if (write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(2);
      _exit(0);
    }
    close(ends[1]);
    char buffer[4096];
    for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
      site.append(buffer, static_cast<std::size_t>(got));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  run("ip netns del " + ns);
  ASSERT_TRUE(made);
  EXPECT_THAT(site, HasSubstr("kind: linux-bridge"));
  EXPECT_THAT(site, HasSubstr("ip: 10.9.0.1/24"));
  EXPECT_THAT(site, HasSubstr("ageing: 0s"));
  EXPECT_TRUE(importers::parse_site(site, "live")) << site;
}

}  // namespace
}  // namespace sekimori

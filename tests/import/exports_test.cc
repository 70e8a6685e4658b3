// Folders of exports through the whole program: import, what the proof says of the site, and the audit of
// MACs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cli/check.h"
#include "cli/mac_sources.h"
#include "cli/site.h"
#include "cli/sources.h"
#include "importers/site.h"
#include "macs/audit.h"

namespace sekimori {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

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

TEST(Exports, BondsThatAreInOrderAreFoundToBe) {
  for (const char* folder : {"tests/data/import/bonds", "tests/data/import/ovs-bonds"}) {
    const Judged judged = judge(folder);
    EXPECT_THAT(judged.findings,
                Not(Contains(testing::AnyOf(HasSubstr("mac-duplicate"), HasSubstr("bond-mismatch"),
                                            HasSubstr("flap-teaming"), HasSubstr("loop")))))
        << folder;
  }
}

// The same bond, but nobody answers its LACP: one of its NICs works.
TEST(Exports, ABondWithoutAPartnerIsFound) {
  const auto folder = std::filesystem::temp_directory_path() / ("sekimori-bond-" + std::to_string(getpid()));
  std::filesystem::copy("tests/data/import/bonds", folder, std::filesystem::copy_options::recursive);
  for (const char* name : {"link.json", "addr.json"}) {
    std::ifstream in(folder / "hv1" / name);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    const std::string partner = "\"partner_mac\":\"52:54:00:00:01:19\"";
    ASSERT_NE(text.find(partner), std::string::npos);
    text.replace(text.find(partner), partner.size(), "\"partner_mac\":\"00:00:00:00:00:00\"");
    std::ofstream(folder / "hv1" / name) << text;
  }
  const Judged judged = judge(folder.string());
  std::filesystem::remove_all(folder);
  EXPECT_THAT(judged.findings, Contains(HasSubstr("bond-mismatch hv1/bond1"))) << judged.site;
}

// ---------------------------------------------------------------- the audit of MACs reads the same

std::vector<std::string> audit(const std::vector<std::string>& sources) {
  const auto inventory = cli::read_inventories(sources);
  EXPECT_TRUE(inventory) << (inventory ? "" : inventory.error().message);
  std::vector<std::string> lines;
  if (!inventory) return lines;
  for (const findings::Finding& f : macs::audit(*inventory))
    lines.push_back(std::string(findings::entry(f.code).word) + " " + f.headline + " " + f.cause);
  return lines;
}

TEST(ExportsAudit, TwoGuestsThatRunInOneSegmentAreAnError) {
  EXPECT_THAT(audit({"tests/data/import/lan"}),
              Contains(testing::AllOf(testing::StartsWith("mac-duplicate "), HasSubstr("(app)"),
                                      HasSubstr("(app2)"), HasSubstr("in one segment"))));
}

TEST(ExportsAudit, OneMacAtTwoManagersIsFoundAndTheyStayTwo) {
  const auto found = audit({"tests/data/import/office"});
  EXPECT_THAT(found,
              Contains(testing::AllOf(HasSubstr("bc:24:11:00:00:64"), HasSubstr("tell whether they meet"),
                                      HasSubstr("proxmox/100:net0 (web)"),
                                      HasSubstr("HV1/0a0e1c00-0000-4000-8000-000000000001"))));
}

TEST(ExportsAudit, ABondHasTheAddressOfOneOfItsNics) {
  EXPECT_THAT(audit({"tests/data/import/bonds"}), testing::IsEmpty());
}

TEST(ExportsAudit, CopiesShowByTheirUuid) {
  EXPECT_THAT(
      audit({"tests/data/import/vsphere"}),
      Contains(testing::AllOf(HasSubstr("mac-duplicate-latent"), HasSubstr("vc1/vm-103"),
                              HasSubstr("They share the UUID 42070000-0000-4000-8000-000000000103"))));
}

// Of libvirt each host has its own domains: one domain on two hosts is two, and what they share is evidence.
TEST(ExportsAudit, OneDomainOnTwoHostsIsTwo) {
  const auto folder = std::filesystem::temp_directory_path() / ("sekimori-audit-" + std::to_string(getpid()));
  for (const char* host : {"kvm1", "kvm2"}) {
    std::filesystem::create_directories(folder / host);
    std::ofstream(folder / host / "web.xml")
        << "<domain id='1'><name>web</name><uuid>11111111-2222-4333-8444-555555555555</uuid><devices>"
           "<interface type='bridge'><mac address='52:54:00:00:00:09'/><source bridge='br0'/></interface>"
           "</devices></domain>";
  }
  const auto found = audit({folder.string()});
  std::filesystem::remove_all(folder);
  EXPECT_THAT(found, Contains(testing::AllOf(HasSubstr("libvirt@kvm1/"), HasSubstr("libvirt@kvm2/"),
                                             HasSubstr("don't tell whether they meet"),
                                             HasSubstr("They share the UUID"))));
}

}  // namespace
}  // namespace sekimori

#include "macs/audit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "macs/fix.h"

namespace sekimori::macs {
namespace {

using findings::Code;
using findings::Finding;
using findings::Severity;

Inventory inventory_of(std::string_view rows) {
  Inventory inventory;
  const auto done = read_inventory(
      "manager,machine_id,nic,mac,segment,power,role,uuid,os_machine_id,clone_of\n" + std::string(rows),
      "f.csv", inventory);
  EXPECT_TRUE(done);
  EXPECT_EQ(inventory.omitted, 0u) << inventory.omissions.front().what;
  return inventory;
}

// "mac-duplicate error", ...
std::vector<std::string> told(const Inventory& inventory, const Known* known = nullptr) {
  std::vector<std::string> words;
  for (const Finding& f : audit(inventory, known))
    words.push_back(std::string(findings::entry(f.code).word) + " " +
                    std::string(findings::to_text(f.severity)));
  return words;
}
using Words = std::vector<std::string>;

TEST(Audit, SegmentAndPowerDecide) {
  const Words real{"mac-duplicate error"}, latent{"mac-duplicate-latent warning"};
  const auto two = [](std::string_view one, std::string_view other) {
    return told(inventory_of("m,a,n,0a:00:00:00:00:01," + std::string(one) +
                             ",,,,\nm,b,n,0a:00:00:00:00:01," + std::string(other) + ",,,,\n"));
  };
  EXPECT_EQ(two("10,on", "10,on"), real);
  EXPECT_EQ(two("10,on", "20,on"), latent);
  EXPECT_EQ(two("10,on", "10,off"), latent);
  EXPECT_EQ(two("10,off", "10,off"), latent);
  EXPECT_EQ(two("10,on", ",on"), latent);
  EXPECT_EQ(two("10,on", "10,"), latent);
  const auto certainty = [](std::string_view one, std::string_view other) {
    return audit(inventory_of("m,a,n,0a:00:00:00:00:01," + std::string(one) +
                              ",,,,\nm,b,n,0a:00:00:00:00:01," + std::string(other) + ",,,,\n"))[0]
        .certainty;
  };
  EXPECT_EQ(certainty("10,on", "20,on"), findings::Certainty::kProved);
  EXPECT_EQ(certainty("10,on", ",on"), findings::Certainty::kUndecided);
  EXPECT_EQ(certainty(",", ","), findings::Certainty::kUndecided);
  EXPECT_EQ(certainty("10,", "10,on"), findings::Certainty::kUndecided);
  EXPECT_EQ(certainty("10,off", ",on"), findings::Certainty::kProved);
}

TEST(Audit, TwoMachinesStayTwo) {
  // Equal ids under two managers, one UUID: a clone across vCenters, or one machine in two inventories.
  const Inventory two = inventory_of(
      "vc1,vm-7,n,00:50:56:80:00:01,10,on,guest,u1,,\nvc2,vm-7,n,00:50:56:80:00:01,10,on,guest,u1,,\n");
  const auto found = audit(two);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].code, Code::kMacDuplicate);
  EXPECT_TRUE(found[0].headline.starts_with("vc1/vm-7:n and vc2/vm-7:n have the same MAC"))
      << found[0].headline;
  EXPECT_TRUE(found[0].cause.contains("share the UUID u1"));
}

TEST(Audit, OneStationIsNoDuplicate) {
  EXPECT_EQ(
      told(inventory_of("m,a,eth0,0a:00:00:00:00:01,10,on,,,,\nm,a,eth0,0a:00:00:00:00:01,10,on,,,,\n")),
      Words{})
      << "listed twice";
  EXPECT_EQ(
      told(inventory_of("m,a,eth0,0a:00:00:00:00:01,10,on,,,,\nm,a,eth0.20,0a:00:00:00:00:01,20,on,,,,\n")),
      Words{})
      << "a VLAN";
  EXPECT_EQ(
      told(inventory_of("m,a,eth0,0a:00:00:00:00:01,10,on,,,,\nm,a,eth1,0a:00:00:00:00:01,10,on,,,,\n")),
      Words{"mac-duplicate error"});
  EXPECT_EQ(told(inventory_of("m,a,n,0a:00:00:00:00:01,10,on,,,,\nm,b,n,0a:00:00:00:00:02,10,on,,,,\n")),
            Words{});
}

TEST(Audit, ClonesAreKnownByWhatCameAlong) {
  const auto found = audit(
      inventory_of("m,a,br0,0a:00:00:00:00:01,10,on,,,ab12,\nm,b,br0,0a:00:00:00:00:01,10,on,,,ab12,a\n"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].cause.contains("machine-id ab12"));
  EXPECT_TRUE(found[0].cause.contains("b:br0 is a clone of a"));
}

TEST(Audit, SingleAddresses) {
  EXPECT_EQ(told(inventory_of("m,a,n,52:54:00:12:34:56,10,on,guest,,,\n")), Words{"mac-well-known warning"});
  EXPECT_EQ(
      told(inventory_of("m,a,n,00:00:00:00:00:00,10,on,guest,,,\nm,b,n,00:00:00:00:00:00,10,on,guest,,,\n")),
      Words{"mac-invalid error"});
  EXPECT_EQ(told(inventory_of("m,a,n,01:00:5e:00:00:01,10,on,guest,,,\n")), Words{"mac-invalid error"});
  EXPECT_EQ(told(inventory_of("m,a,n,a0:36:9f:00:00:01,10,on,guest,,,\n")), Words{"mac-invalid note"});
  EXPECT_EQ(told(inventory_of("m,a,n,a0:36:9f:00:00:01,10,on,host,,,\n")), Words{});
}

TEST(Audit, Birthdays) {
  const auto fleet = [](int n, std::string_view segment) {
    std::string rows;
    for (int i = 0; i < n; ++i)
      rows += "m,v" + std::to_string(i) + ",n,5254.01" + std::to_string(10 + i / 10'000) + "." +
              std::to_string(1000 + i % 9000) + "," + std::string(segment) + ",on,,,,\n";
    return rows;
  };
  EXPECT_EQ(told(inventory_of(fleet(900, "10"))), Words{}) << "not from that block";
  std::string rows = fleet(300, "10");
  for (std::size_t at = 0; (at = rows.find("5254.01", at)) != std::string::npos;)
    rows.replace(at, 7, "5254.00");
  EXPECT_EQ(told(inventory_of(rows)), Words{"mac-birthday warning"});  // 300 of 2^24: 0.27 %
  const auto found = audit(inventory_of(rows));
  EXPECT_TRUE(found[0].headline.contains("0.3 %")) << found[0].headline;
}

TEST(Audit, ARegistryIsCompared) {
  Known known{"macs.db", {{"lab", *parse_pool_range("02:ab:00:00:00:00/24")}}, {}};
  known.entries.push_back({.mac = Mac{0x02ab'0000'0001}, .pool = "lab", .owner = {"m", "a", "n"}});
  known.entries.push_back({.mac = Mac{0x02ab'0000'0002}, .pool = "lab", .owner = {"m", "z", "n"}});
  known.entries.push_back({.mac = Mac{0x02ab'0000'0003}, .state = State::kFreed, .pool = "lab"});
  EXPECT_EQ(told(inventory_of("m,a,n,02:ab:00:00:00:01,10,on,,,,\n"), &known), Words{});
  EXPECT_EQ(told(inventory_of("m,b,n,02:ab:00:00:00:02,10,on,,,,\n"), &known),
            Words{"mac-duplicate-latent warning"});
  EXPECT_EQ(told(inventory_of("m,b,n,02:ab:00:00:00:03,10,on,,,,\n"), &known),
            Words{"mac-pool-overlap warning"});
  EXPECT_EQ(told(inventory_of("m,b,n,02:ac:00:00:00:03,10,on,,,,\n"), &known), Words{});
}

// Against all pairs.
TEST(Audit, DuplicatesAgainstANaiveJudge) {
  base::Random random(11);
  for (int round = 0; round < 300; ++round) {
    std::string rows;
    for (std::uint64_t n = 2 + random.below(8); n-- > 0;) {
      constexpr std::string_view kPower[] = {"on", "off", ""}, kSegment[] = {"1", "2", ""};
      rows += "m,v" + std::to_string(random.below(6)) + ",n" + std::to_string(random.below(2)) +
              ",0a:00:00:00:00:0" + std::to_string(random.below(3)) + "," +
              std::string(kSegment[random.below(3)]) + "," + std::string(kPower[random.below(3)]) + ",,,,\n";
    }
    const Inventory inventory = inventory_of(rows);
    const auto& nics = inventory.nics;
    for (std::uint64_t bits = 0; bits < 3; ++bits) {
      const Mac mac{0x0a00'0000'0000 + bits};
      // The first record of each station counts.
      std::vector<const Nic*> stations;
      for (const Nic& nic : nics) {
        const bool seen = std::ranges::any_of(
            stations, [&](const Nic* s) { return s->machine == nic.machine && s->nic == nic.nic; });
        if (nic.mac == mac && !seen) stations.push_back(&nic);
      }
      int worst = stations.size() < 2 ? -1 : 0;
      for (std::size_t i = 0; i < stations.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          const Nic &a = *stations[i], &b = *stations[j];
          if (a.power == Power::kOff || b.power == Power::kOff) continue;
          const bool known = a.segment != kNothing && b.segment != kNothing;
          if (known && a.segment != b.segment) continue;
          const bool both_run = a.power == Power::kRunning && b.power == Power::kRunning;
          worst = std::max(worst, known && both_run ? 2 : 1);
        }
      }
      int got = -1;
      for (const Duplicate& d : duplicates(inventory)) {
        if (d.mac != mac) continue;
        EXPECT_EQ(d.nics.size(), stations.size()) << rows;
        got = d.kind == Duplicate::Kind::kReal ? 2 : d.kind == Duplicate::Kind::kUndecided ? 1 : 0;
      }
      EXPECT_EQ(got, worst) << rows;
    }
  }
}

// ---------------------------------------------------------------- the plan

std::vector<std::string> changed(const Inventory& inventory, const Known* known = nullptr) {
  std::vector<std::string> names;
  for (const FixStep& step : plan_fixes(inventory, known, {}))
    names.push_back(inventory.name_of(inventory.nics[step.nic]));
  return names;
}

TEST(Fix, LeastDisruptiveFirst) {
  const Inventory fleet = inventory_of(
      "m,clone,n,0a:00:00:00:00:01,10,on,,,,orig\n"
      "m,orig,n,0a:00:00:00:00:01,10,on,,,,\n"
      "m,off,n,0a:00:00:00:00:01,10,off,,,,\n"
      "m,a,n,0a:00:00:00:00:02,10,,guest,,,\n"
      "m,b,n,0a:00:00:00:00:02,10,,host,,,\n"
      "m,q,n,52:54:00:12:34:56,10,on,,,,\n");
  EXPECT_EQ(changed(fleet), (Words{"off:n", "a:n", "q:n", "clone:n"}));
  Known known{"r", {}, {{.mac = Mac{0x0a00'0000'0001}, .owner = {"m", "off", "n"}}}};
  EXPECT_EQ(changed(fleet, &known), (Words{"a:n", "q:n", "orig:n", "clone:n"}))
      << "the registry has it for `off`";
}

TEST(Fix, FreshAddressesAreFreshAndTheSameAgain) {
  std::string rows;
  for (int i = 0; i < 200; ++i) rows += "m,v" + std::to_string(i) + ",n,0a:00:00:00:00:01,10,on,,,,\n";
  const Inventory fleet = inventory_of(rows);
  const auto steps = plan_fixes(fleet, nullptr, {});
  ASSERT_EQ(steps.size(), 199u);
  std::vector<Mac> macs;
  for (const FixStep& step : steps) {
    EXPECT_EQ(why_not(step.fresh), "");
    macs.push_back(step.fresh);
  }
  const auto again = plan_fixes(fleet, nullptr, {});
  EXPECT_TRUE(std::ranges::equal(macs, again, {}, {}, &FixStep::fresh));
  std::ranges::sort(macs);
  EXPECT_EQ(std::ranges::adjacent_find(macs), macs.end());
}

TEST(Fix, NamesAreQuoted) {
  const auto commands = [](std::string_view machine, Tool tool) {
    Inventory inventory;
    EXPECT_TRUE(read_inventory(
        "manager,machine_id,nic,mac,power\nm,\"" + std::string(machine) + "\",net0,52:54:00:12:34:56,on\n",
        "f", inventory));
    const auto steps = plan_fixes(inventory, nullptr, {.tools = {{"m", tool}}, .registry = ""});
    std::string all;
    for (const std::string& line : steps.at(0).commands) all += line + "\n";
    return all;
  };
  EXPECT_TRUE(commands("x'; reboot; '", Tool::kLibvirt).contains("virsh shutdown 'x'\\''; reboot; '\\'''"));
  EXPECT_TRUE(commands("$(reboot)", Tool::kProxmox).contains("qm reboot '$(reboot)'"));
  EXPECT_TRUE(commands("x'; Stop-Computer; '", Tool::kHyperV).contains("-VMName 'x''; Stop-Computer; '''"));
  EXPECT_TRUE(commands("--all", Tool::kLibvirt).starts_with("# the name"));
  const std::string lines = commands("a\nreboot", Tool::kVirtualBox);
  EXPECT_TRUE(lines.starts_with("# the name")) << lines;
  EXPECT_TRUE(commands("ns/vm", Tool::kKubeVirt).contains("kubectl get vm vm -n ns "));
  EXPECT_TRUE(commands("db", Tool::kVirtualBox).contains("modifyvm db --mac-address1 \"0a"));
  EXPECT_TRUE(commands("db", Tool::kUnknown).starts_with("# db:net0: replace"));
}

TEST(Fix, ToolsByName) {
  EXPECT_EQ(guess_tool("PVE-lab"), Tool::kProxmox);
  EXPECT_EQ(guess_tool("vcenter.example.org"), Tool::kVMware);
  EXPECT_EQ(guess_tool("rack7"), Tool::kUnknown);
}

}  // namespace
}  // namespace sekimori::macs

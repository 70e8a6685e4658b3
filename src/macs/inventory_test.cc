#include "macs/inventory.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace sekimori::macs {
namespace {

Inventory read(std::string_view text, const std::string& source = "fleet.csv") {
  Inventory inventory;
  const auto done = read_inventory(text, source, inventory);
  EXPECT_TRUE(done) << done.error().what;
  return inventory;
}

std::string refused(std::string_view text) {
  Inventory inventory;
  const auto done = read_inventory(text, "f", inventory);
  return done ? "" : done.error().what;
}

TEST(InventoryText, EveryNotationOfAMac) {
  const Inventory i = read(
      "mac,vm,nic\n52:54:00:aa:bb:cc,a,0\n52-54-00-AA-BB-CC,b,0\n5254.00aa.bbcc,c,0\n525400AABBCC,d,0\n");
  ASSERT_EQ(i.nics.size(), 4u);
  for (const Nic& nic : i.nics) EXPECT_EQ(nic.mac, Mac{0x5254'00aa'bbcc});
  EXPECT_EQ(i.nics[3].line, 5u);
}

// The heads of NetBox's exports of VM interfaces and of MAC addresses (4.2), of PowerShell's Export-Csv.
TEST(InventoryText, HeadsOfManagers) {
  const Inventory netbox = read(
      "id,virtual_machine,name,enabled,mac_address,untagged_vlan\n7,web01,eth0,True,02:AB:00:00:00:01,10\n");
  ASSERT_EQ(netbox.nics.size(), 1u);
  EXPECT_EQ(to_text(netbox.owner_of(netbox.nics[0])), "fleet/web01/eth0");
  EXPECT_EQ(netbox.texts[netbox.nics[0].segment], "10");
  const Inventory hyperv = read(
      "#TYPE "
      "Microsoft.HyperV.PowerShell.VMNetworkAdapter\r\n\"VMName\",\"Name\",\"MacAddress\",\"SwitchName\","
      "\"ComputerName\"\r\n\"web01\",\"Network Adapter\",\"00155D0A1101\",\"ext\",\"HV1\"\r\n");
  ASSERT_EQ(hyperv.nics.size(), 1u);
  EXPECT_EQ(to_text(hyperv.owner_of(hyperv.nics[0])), "HV1/web01/Network Adapter");
  const Inventory power = read(
      "\xef\xbb\xbfParent;Name;MacAddress;NetworkName;PowerState\nweb01;Network adapter "
      "1;00:50:56:80:00:01;prod;PoweredOn\n",
      "vc.csv");
  ASSERT_EQ(power.nics.size(), 1u);
  EXPECT_EQ(to_text(power.owner_of(power.nics[0])), "vc/web01/Network adapter 1");
  EXPECT_EQ(power.nics[0].power, Power::kRunning);
}

TEST(InventoryText, QuotesAndEmptyMacs) {
  const Inventory i = read(
      "machine_id,machine,nic,mac,power\r\nvm-1,\"a \"\"b\"\", "
      "c\nd\",net0,02:00:00:00:00:0a,off\r\nvm-2,x,net0,,on\r\n\r\nvm-3,y,net0,02:00:00:00:00:0b,"
      "strange\r\n");
  ASSERT_EQ(i.nics.size(), 2u);
  EXPECT_EQ(i.texts[i.nics[0].name], "a \"b\", c\nd");
  EXPECT_EQ(i.nics[0].power, Power::kOff);
  EXPECT_EQ(i.nics[1].power, Power::kUnknown);
  EXPECT_EQ(i.nics[1].line, 6u);
  EXPECT_EQ(i.without_mac, 1u);
  EXPECT_EQ(i.omitted, 0u);
}

TEST(InventoryText, WhatIsWrongIsLeftOutAndTold) {
  const Inventory i =
      read("vm,mac\na,02:00:00:00:00:01\nb\nc,02:00:00:00:00\nd,02:00:00:00:00:02\ne,\"02:00:00:00");
  EXPECT_EQ(i.nics.size(), 2u);
  ASSERT_EQ(i.omissions.size(), 3u);
  EXPECT_EQ(i.omissions[0].line, 3u);
  EXPECT_TRUE(i.omissions[1].what.contains("no MAC"));
  EXPECT_TRUE(i.omissions[2].what.contains("cut short"));
}

TEST(InventoryText, WhatIsNoInventoryIsRefused) {
  EXPECT_TRUE(refused("").contains("empty"));
  EXPECT_TRUE(refused(std::string_view("\xff\xfem\0a\0c\0", 8)).contains("UTF-16"));
  EXPECT_TRUE(refused("name,address4\na,b\n").contains("names a column mac"));
  EXPECT_TRUE(refused("\n\n# nothing\n").contains("neither"));
  EXPECT_TRUE(refused("\"unclosed,mac").contains("neither"));
}

TEST(InventoryText, Lists) {
  const Inventory i = read(
      "# what arp-scan saw\n\n02:00:00:00:00:01 "
      "vc1/vm-7/net0/x\nweb01:eth0\t0200.0000.0002\r\n020000000003\n02:00:00:00:00:04 web02 # "
      "old\nnonsense\n",
      "/tmp/seen.txt");
  ASSERT_EQ(i.nics.size(), 4u);
  EXPECT_EQ(to_text(i.owner_of(i.nics[0])), "vc1/vm-7/net0/x");
  EXPECT_EQ(to_text(i.owner_of(i.nics[1])), "seen/web01/eth0");
  EXPECT_EQ(to_text(i.owner_of(i.nics[2])), "seen/line 5/");
  EXPECT_EQ(i.texts[i.nics[3].machine], "web02");
  ASSERT_EQ(i.omissions.size(), 1u);
  EXPECT_EQ(i.omissions[0].line, 7u);
}

TEST(InventoryText, WhatARegistryWritesIsRead) {
  const Entry entry{.mac = Mac{0x02ab'0000'0001},
                    .pool = "lab",
                    .owner = {"vc,1", "vm \"7\"", "net0"},
                    .note = "a\nb",
                    .since = 1'000'000'000};
  const Inventory i = read(csv_head() + csv_line(entry));
  ASSERT_EQ(i.nics.size(), 1u);
  EXPECT_EQ(i.owner_of(i.nics[0]), entry.owner);
  EXPECT_EQ(i.nics[0].mac, entry.mac);
}

// Any bytes: never a crash, and every line is a record, an omission, empty, or part of another.
TEST(InventoryText, Damage) {
  const std::string sound =
      "vm,mac,power\n\"a\",02:00:00:00:00:01,on\nb,0200.0000.0002,off\n\"c \"\"d\"\"\",02-00-00-00-00-03,\n";
  base::Random random(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = sound;
    for (std::uint64_t n = random.below(4); n-- > 0;) {
      const std::size_t at = random.below(text.size());
      switch (random.below(3)) {
        case 0:
          text[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          text.erase(at, random.below(5));
          break;
        default:
          text.insert(at, 1, "\",\n;\0#"[random.below(6)]);
      }
      if (text.empty()) text = "x";
    }
    Inventory inventory;
    static_cast<void>(read_inventory(text.substr(0, random.below(text.size() + 1)), "f", inventory));
    EXPECT_LE(inventory.nics.size(), 4u);
  }
}

}  // namespace
}  // namespace sekimori::macs

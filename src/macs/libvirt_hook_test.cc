#include "macs/libvirt_hook.h"

#include <gtest/gtest.h>
#include <cstdlib>

#include <filesystem>

#include "macs/sqlite_registry.h"

namespace sekimori::macs {
namespace {

// As `virsh dumpxml` of libvirt 9.0 writes a guest with two NICs, what matters not left out.
constexpr std::string_view kDomain = R"(<domain type='qemu' id='3'>
  <name>web01</name>
  <uuid>6d7f3b5e-4b0a-4b57-9a3c-2f6f3b8f2a11</uuid>
  <memory unit='KiB'>262144</memory>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='bridge'>
      <mac address='52:54:00:6b:3c:58'/>
      <source bridge='br0'/>
      <model type='virtio'/>
    </interface>
    <interface type='network'>
      <mac address='52:54:00:6B:3C:59'/>
      <source network='default'/>
    </interface>
    <interface type='user'/>
  </devices>
</domain>
)";

TEST(LibvirtHook, ReadsDomains) {
  const auto domain = read_domain(kDomain);
  ASSERT_TRUE(domain);
  EXPECT_EQ(domain->name, "web01");
  EXPECT_EQ(domain->macs, (std::vector{Mac{0x5254'006b'3c58}, Mac{0x5254'006b'3c59}}));
  EXPECT_FALSE(read_domain(""));
  EXPECT_FALSE(read_domain(kDomain.substr(0, 400)));
  EXPECT_FALSE(read_domain("<network><name>n</name></network>"));
  EXPECT_FALSE(read_domain(std::string(kMostDomainBytes + 1, ' ')));
  EXPECT_FALSE(read_domain("<domain><devices><interface><mac address='xx'/></interface></devices></domain>"));
  // A bomb of entities stays what it is: three short texts.
  const auto bomb = read_domain(
      "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b "
      "'&a;&a;&a;&a;'>]><domain><name>&b;&b;</name></domain>");
  EXPECT_TRUE(!bomb || bomb->name.size() < 20);
}

TEST(LibvirtHook, ObjectsToWhatAnotherHas) {
  std::string pattern = (std::filesystem::temp_directory_path() / "sekimori-hook-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  {
    auto registry = std::move(*create_sqlite_registry(folder / "macs.db"));
    const Domain web = *read_domain(kDomain);
    const auto says = [&] {
      std::string all;
      const auto list = objections(web, *registry);
      for (const std::string& line : *list) all += line;
      return all;
    };
    EXPECT_EQ(says(), "");
    ASSERT_TRUE(
        registry->reserve(std::vector{Entry{.mac = web.macs[0], .owner = {"kvm1", web.uuid, "net0"}}}));
    EXPECT_EQ(says(), "") << "its own";
    ASSERT_TRUE(
        registry->reserve(std::vector{Entry{.mac = web.macs[1], .owner = {"kvm2", "original", "net0"}}}));
    EXPECT_TRUE(says().contains("52:54:00:6b:3c:59 is reserved for kvm2/original/net0")) << says();
    ASSERT_TRUE(registry->release(std::vector{web.macs[1]}, 5));
    EXPECT_EQ(says(), "") << "nobody has it now";
    const Domain twins{"twins", "", {Mac{2}, Mac{2}, Mac{0x0100'0000'0000}}};
    EXPECT_EQ(objections(twins, *registry)->size(), 2u);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sekimori::macs

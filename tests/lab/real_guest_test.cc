// Guests that boot: a small one on Debian's kernel, emulated, on a Linux bridge and on live switches. The
// first fault of the house with them: what a host sends to its guest leaves by the uplink as well, frame by
// frame. And ones that boot a disk.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "lab/compare.h"
#include "lab/guests.h"
#include "lab/run.h"
#include "support.h"
#include "sys/command.h"
#include "sys/packet_socket.h"
#include "tests/support/boot_disk.h"
#include "tests/support/folder.h"
#include "tests/support/initramfs.h"

namespace sekimori::lab {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string kernel() { return std::string(SEKIMORI_GUEST_KERNEL) + "/vmlinuz"; }

// The guests' initial RAM disk, and disks made of it, in a folder that is gone afterwards.
class SmallGuest {
 public:
  SmallGuest() {
    const auto fetched = sys::run_command({SEKIMORI_ROOT "/tools/guest_kernel.sh", SEKIMORI_GUEST_KERNEL},
                                          std::chrono::seconds(120), 1 << 20, false);
    EXPECT_TRUE(fetched.has_value() && fetched->exit == 0) << "no kernel for the guest";
    sekimori::testing::Initramfs archive;
    archive.add_program("init", sekimori::testing::contents(SEKIMORI_GUEST_INIT));
    archive.add_folder("modules", std::string(SEKIMORI_GUEST_KERNEL) + "/virtio");
    archive.write(initrd());
  }
  std::string initrd() const { return (folder_.path() / "initrd").string(); }
  // As the value of `image`. Without IPv6 the guest says nothing by itself.
  std::string image() const {
    return fmt::format(
        R"({{kernel: "{}", initrd: "{}", memory: 96MiB, append: "quiet ipv6.disable=1 mitigations=off"}})",
        kernel(), initrd());
  }
  std::string raw_disk() const { return (folder_.path() / "disk, raw.img").string(); }
  std::string qcow2_disk() const { return (folder_.path() / "disk.qcow2").string(); }
  // For guests with this address; the qcow2 is a copy on write of the raw one.
  bool make_disks(const std::string& address) const {
    const std::string words = fmt::format(
        "console=ttyS0 net.ifnames=0 quiet ipv6.disable=1 mitigations=off ip={}:::255.255.255.0:app:eth0:off",
        address);
    using sekimori::testing::contents;
    if (!sekimori::testing::write_boot_disk(raw_disk(), folder_.path(), contents(kernel()),
                                            contents(initrd()), words))
      return false;
    const auto made = sys::run_command(
        {"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", raw_disk(), qcow2_disk()},
        std::chrono::seconds(30), 1 << 16, false);
    return made && made->exit == 0;
  }

 private:
  sekimori::testing::Folder folder_;
};

constexpr Facilities kQemu{.qemu = true};

// Processes that have the lab's name in their command line: its QEMUs.
std::string qemus_of(const TestLab& lab) {
  return output_of("pgrep -f '^qemu-system-x86_64 .*" + guests_folder(lab.plan().lab) + "/'");
}

// IPv4 packets, by the station that they are for, that leave the switch by its last port.
class Uplink {
 public:
  explicit Uplink(const TestLab& lab) {
    const auto space = sys::Namespace::open("sekimori." + lab.plan().lab + ".far");
    const auto inside = sys::InNamespace::enter(*space);
    auto socket = sys::PacketSocket::open("eth0", {.promiscuous = true});
    EXPECT_TRUE(socket.has_value());
    if (socket) socket_.emplace(std::move(*socket));
  }
  std::map<model::Mac, int> heard() {
    std::map<model::Mac, int> frames;
    socket_->receive(100'000, [&](int, std::span<std::byte> frame) {
      if (frame[12] != std::byte{8} || frame[13] != std::byte{0}) return;
      ++frames[model::Mac::from_octets(reinterpret_cast<const std::uint8_t*>(frame.data()))];
    });
    return frames;
  }

 private:
  std::optional<sys::PacketSocket> socket_;
};

model::Mac mac_of(const model::Model& site, const std::string& machine) {
  const auto found = std::ranges::find(site.machines, machine, &model::Machine::name);
  return site[found->stations.front()].mac;
}

model::Model three_servers(const std::string& image) {
  std::string text = "hosts:\n";
  const auto server = [&](const std::string& name, int number, const std::string& bridge) {
    const bool is_linux = bridge.contains("linux-bridge");
    text += fmt::format(
        "  {0}:\n    nics: {{eth0: {3}}}\n    switches: {{sw: {{uplinks: [eth0], {2}}}}}\n"
        "    guests: {{of-{0}: {{nics: {{net0: {{on: sw, ip: 10.0.0.1{1}/24}}}}, arp: {{announce: never}}, "
        "image: {4}}}}}\n",
        name, number, bridge, is_linux ? "{}" : fmt::format("10.0.0.{}/24", number), image);
  };
  server("plain", 1, "kind: linux-bridge, ip: 10.0.0.1/24, ageing: 0");
  server("hosted", 2, "kind: hosted-bridge");
  server("guarded", 3, "kind: hosted-bridge, ports: {eth0: {guard: on}}");
  return site_of(text + R"(
  far: {nics: {eth0: 10.0.0.9/24}}
switches: {sw1: {}}
links: [[plain:eth0, sw1:1], [hosted:eth0, sw1:2], [guarded:eth0, sw1:3], [far:eth0, sw1:24]]
traffic:
  - {from: plain, to: of-plain, kind: ping, every: 100ms, stop: 4.95s}
  - {from: hosted, to: of-hosted, kind: ping, every: 100ms, stop: 4.95s}
  - {from: guarded, to: of-guarded, kind: ping, every: 100ms, stop: 4.95s}
)");
}

// Frame by frame, each link in both directions.
void expect_as_predicted(const TestLab& lab, const Measurement& measured, base::Time time) {
  const simulate::RunResult predicted = predict(lab, time);
  for (const PlannedLink& link : lab.plan().links) {
    for (const std::size_t lane : {2 * link.link.index(), 2 * link.link.index() + 1}) {
      ASSERT_TRUE(measured.lanes[lane].has_value());
      EXPECT_EQ(measured.lanes[lane]->frames, predicted.lanes[lane].frames)
          << model::name_of(lab.site(), link.link);
    }
  }
}

TEST(RealGuest, EveryFrameForItLeavesByTheUplinkUnlessThereIsAGuard) {
  const SmallGuest guest;
  const TestLab lab(three_servers(guest.image()), kQemu);
  ASSERT_EQ(lab.plan().guests.size(), 3);
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_THAT(status(lab.plan())->guests_on, AnyOf("KVM", "emulation"));
  EXPECT_TRUE(status(lab.plan())->up(lab.plan()));

  std::optional<Uplink> uplink;
  const RunOptions options{.time = base::milliseconds(5500), .progress = [&](double share) {
                             if (share > 0 && !uplink) uplink.emplace(lab);
                             return true;
                           }};
  const auto measured = run(lab.site(), lab.plan(), options);
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  for (const FlowResult& flow : measured->flows) {
    EXPECT_EQ(flow.sent, 50);
    EXPECT_EQ(flow.answered, 50);
  }
  auto heard = uplink->heard();
  EXPECT_EQ(heard[mac_of(lab.site(), "of-plain")], 50);
  EXPECT_EQ(heard[mac_of(lab.site(), "of-hosted")], 50);
  EXPECT_EQ(heard[mac_of(lab.site(), "of-guarded")], 0);

  // And so it was predicted, link by link.
  expect_as_predicted(lab, *measured, options.time);

  // One that ends by itself is told.
  const std::string process =
      output_of("pgrep -f '^qemu-system-x86_64 .*" + guests_folder(lab.plan().lab) + "/of-hosted.monitor'");
  ASSERT_EQ(::kill(std::stoi(process), SIGKILL), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_THAT(status(lab.plan())->ended_guests, ElementsAre("of-hosted"));
  EXPECT_FALSE(status(lab.plan())->up(lab.plan()));

  ASSERT_TRUE(down(lab.plan().lab).has_value());
  EXPECT_EQ(qemus_of(lab), "");
  EXPECT_FALSE(std::filesystem::exists(guests_folder(lab.plan().lab)));
  EXPECT_EQ(lab.namespaces(), 0);
}

// Two networks, as what boots from one disk has one address.
TEST(RealGuest, DisksBootAndAreNotWrittenTo) {
  constexpr base::Time kTime = base::milliseconds(2500);
  const SmallGuest guest;
  ASSERT_TRUE(guest.make_disks("10.0.0.9"));
  std::string hosts, links, traffic;
  const auto network = [&](const std::string& name, const std::string& disk) {
    hosts += fmt::format(
        "  {0}-desk: {{nics: {{eth0: 10.0.0.1/24}}}}\n"
        "  {0}:\n    nics: {{eth0: {{}}}}\n    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0]}}}}\n"
        "    guests: {{of-{0}: {{nics: {{net0: {{on: br0, ip: 10.0.0.9/24}}}}, arp: {{announce: never}}, "
        "image: {{disk: \"{1}\", memory: 96MiB}}}}}}\n",
        name, disk);
    links += fmt::format("  - [{0}-desk:eth0, {0}:eth0]\n", name);
    traffic +=
        fmt::format("  - {{from: {0}-desk, to: of-{0}, kind: ping, every: 100ms, stop: 1.95s}}\n", name);
  };
  network("raw", guest.raw_disk());
  network("qcow2", guest.qcow2_disk());
  const std::string raw = sekimori::testing::contents(guest.raw_disk());
  const std::string qcow2 = sekimori::testing::contents(guest.qcow2_disk());

  const TestLab lab(site_of("hosts:\n" + hosts + "links:\n" + links + "traffic:\n" + traffic), kQemu);
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  const auto measured = run(lab.site(), lab.plan(), {.time = kTime, .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  EXPECT_EQ(measured->flows.size(), 2);
  for (const FlowResult& flow : measured->flows) EXPECT_EQ(flow.answered, 20);
  expect_as_predicted(lab, *measured, kTime);

  // Each has written to its disk, and read that back, before it took its address.
  ASSERT_TRUE(down(lab.plan().lab).has_value());
  EXPECT_TRUE(sekimori::testing::contents(guest.raw_disk()) == raw);
  EXPECT_TRUE(sekimori::testing::contents(guest.qcow2_disk()) == qcow2);
}

model::Model one_guest(const std::string& image) {
  return site_of(fmt::format(R"(
hosts:
  node:
    nics: {{eth0: 10.0.0.1/24}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0]}}}}
    guests: {{app: {{nics: {{net0: {{on: br0, ip: 10.0.0.9/24}}}}, image: {}}}}}
)",
                             image));
}

TEST(RealGuest, WhateverBecomesOfUpNoQemuStays) {
  const SmallGuest guest;
  const model::Model site = one_guest(guest.image());
  for (const int milliseconds : {50, 150, 400, 900}) {
    const TestLab lab(site, kQemu);
    lab.up_killed_after(std::chrono::milliseconds(milliseconds));
    ASSERT_TRUE(down(lab.plan().lab).has_value());
    EXPECT_EQ(qemus_of(lab), "") << milliseconds;
    EXPECT_EQ(lab.namespaces(), 0);
  }
  // The process that they are children of is killed.
  const TestLab lab(site, kQemu);
  ASSERT_TRUE(lab.up().has_value());
  const std::string parent = output_of("ps -o ppid= -p " + qemus_of(lab));
  ASSERT_EQ(::kill(std::stoi(parent), SIGKILL), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(qemus_of(lab), "");
  EXPECT_EQ(status(lab.plan())->guests_on, "");
  ASSERT_TRUE(down(lab.plan().lab).has_value());
  EXPECT_FALSE(std::filesystem::exists(guests_folder(lab.plan().lab)));
}

TEST(RealGuest, AnImageThatIsNoneAndTooMuchMemoryAreToldAndNothingStays) {
  for (const auto& [image, complaint] :
       {std::pair("{kernel: tests/lab/support.h}", "app: QEMU did not start"),
        std::pair("{kernel: tests/lab/support.h, memory: 1024GiB}", "MiB are free")}) {
    const TestLab lab(one_guest(image), kQemu);
    const auto built = lab.up();
    ASSERT_FALSE(built.has_value());
    EXPECT_THAT(built.error().what, HasSubstr(complaint));
    EXPECT_EQ(lab.namespaces(), 0);
    EXPECT_EQ(qemus_of(lab), "");
    EXPECT_FALSE(std::filesystem::exists(guests_folder(lab.plan().lab)));
  }
}

TEST(RealGuest, FilesThatAreNotThereAreFound) {
  EXPECT_THAT(lost_files(one_guest("{kernel: tests/lab/support.h, initrd: no/such.img}")),
              ElementsAre("no/such.img"));
  EXPECT_THAT(lost_files(one_guest("tests/lab")), ElementsAre("tests/lab"));
  EXPECT_THAT(lost_files(one_guest("tests/lab/support.h")), IsEmpty());
}

}  // namespace
}  // namespace sekimori::lab

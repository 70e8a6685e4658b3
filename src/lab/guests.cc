#include "lab/guests.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "lab/child_log.h"
#include "lab/keeper.h"
#include "sys/child.h"
#include "sys/memory.h"
#include "sys/namespaces.h"
#include "sys/packet_socket.h"
#include "sys/tap.h"
#include "wire/emit.h"

namespace sekimori::lab {

using base::Result;
using model::PortId;
using model::StationId;

namespace fs = std::filesystem;

namespace {

constexpr const char* kQemu = "qemu-system-x86_64";
constexpr std::chrono::seconds kStarts{30};  // QEMU itself, before its guest runs
constexpr std::chrono::seconds kMonitorAnswers{2};
constexpr std::chrono::seconds kBiosEnds{3};
constexpr std::chrono::seconds kBoots{120};  // emulated, on a busy machine
constexpr std::chrono::milliseconds kAsksAgain{250};
// What QEMU has beside the memory of its guest; most of it is what it translates code into.
constexpr std::uint64_t kTranslations = 64 << 20, kOverhead = kTranslations + (64 << 20);
constexpr model::Mac kAsker{0x0e5e'ffff'ffff};

std::string console_of(const std::string& folder, const PlannedGuest& guest) {
  return fmt::format("{}/{}.console", folder, guest.name);
}
std::string monitor_of(const std::string& folder, const PlannedGuest& guest) {
  return fmt::format("{}/{}.monitor", folder, guest.name);
}
std::string log_of(const std::string& folder, const PlannedGuest& guest) {
  return fmt::format("{}/{}.log", folder, guest.name);
}

}  // namespace

bool has_qemu() { return !sys::find_program(kQemu).empty(); }

std::vector<std::string> lost_files(const model::Model& site) {
  std::vector<std::string> lost;
  for (const model::Image& image : site.images) {
    for (const std::string& file : {image.disk, image.kernel, image.initrd}) {
      std::error_code ignored;
      if (!file.empty() && (!fs::is_regular_file(file, ignored) || !std::ifstream(file).is_open()))
        lost.push_back(file);
    }
  }
  return lost;
}

std::string guests_folder(std::string_view lab) {
  return fmt::format("/run/{}guests", namespace_prefix(lab));
}

// ---------------------------------------------------------------- what QEMU is told

namespace {

// docs/qcow2.txt of QEMU. What is neither is read as it is: guessing would let a raw disk name another file.
std::string format_of(const std::string& disk) {
  std::array<char, 4> magic{};
  std::ifstream(disk, std::ios::binary).read(magic.data(), magic.size());
  return magic == std::array<char, 4>{'Q', 'F', 'I', '\xfb'} ? "qcow2" : "raw";
}

// In an option of QEMU a comma ends a value, and two are one.
std::string option(std::string_view value) {
  std::string text;
  for (const char c : value) text += c == ',' ? ",," : std::string(1, c);
  return text;
}

// Documentation/admin-guide/nfs/nfsroot.rst, `ip=`: client, server, gateway, netmask, host name, device, how.
// Besides the kernel, initial RAM disks read it (initramfs-tools(7), dracut.cmdline(7)).
std::string address_words(const model::Model& site, const PlannedGuest& guest) {
  std::string words;
  for (std::size_t n = 0; n < guest.nics.size(); ++n) {
    for (StationId s = site[guest.nics[n]].station; s.valid(); s = site[s].next_on_port) {
      const model::Station& nic = site[s];
      if (nic.vlan != 0 || nic.shared.valid() || nic.ip.address.is_zero()) continue;
      std::string gateway;
      for (const model::Route& route : site[guest.machine].routes) {
        if (route.destination.length == 0 && nic.ip.contains(route.via)) gateway = wire::to_text(route.via);
      }
      words += fmt::format(" ip={}::{}:{}:{}:eth{}:off", wire::to_text(nic.ip.address), gateway,
                           wire::to_text(model::Ipv4{nic.ip.mask()}), guest.name, n);
    }
  }
  return words;
}

std::vector<std::string> machine_words(bool on_kvm, std::uint64_t memory) {
  return {kQemu,
          "-no-user-config",
          "-nodefaults",
          "-display",
          "none",
          "-machine",
          "q35",
          "-cpu",
          "max",
          "-smp",
          "1",
          "-accel",
          on_kvm ? "kvm" : fmt::format("tcg,tb-size={}", kTranslations >> 20),
          "-m",
          fmt::format("{}k", memory >> 10)};
}

}  // namespace

std::vector<std::string> qemu_words(const model::Model& site, const PlannedGuest& guest, bool on_kvm,
                                    const std::string& home, const std::string& folder,
                                    const std::vector<int>& taps) {
  const model::Image& image = site[site[guest.machine].image];
  std::vector<std::string> words = machine_words(on_kvm, image.memory);
  const auto add = [&](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
  const auto absolute = [&](const std::string& file) { return option((fs::path(home) / file).string()); };
  add({"-name", option(guest.name)});
  add({"-serial", fmt::format("unix:{},server=on,wait=off", console_of(folder, guest))});
  add({"-qmp", fmt::format("unix:{},server=on,wait=off", monitor_of(folder, guest))});
  if (!image.disk.empty()) {
    add({"-drive", fmt::format("file={},format={},if=virtio,snapshot=on", absolute(image.disk),
                               format_of(fs::path(home) / image.disk))});
  } else {
    add({"-kernel", absolute(image.kernel)});
    if (!image.initrd.empty()) add({"-initrd", absolute(image.initrd)});
    add({"-append", fmt::format("console=ttyS0 net.ifnames=0{}{}{}", address_words(site, guest),
                                image.append.empty() ? "" : " ", image.append)});
  }
  for (std::size_t n = 0; n < guest.nics.size(); ++n) {
    add({"-netdev", fmt::format("tap,id=n{},fd={}", n, taps[n])});
    add({"-device", fmt::format("virtio-net-pci,romfile=,netdev=n{},mac={}", n,
                                wire::to_text(site[site[guest.nics[n]].station].mac))});
  }
  return words;
}

// ---------------------------------------------------------------- running them

namespace {

class Guests {
 public:
  Guests(const model::Model& site, const Plan& plan, std::string home)
      : site_(site),
        plan_(plan),
        home_(std::move(home)),
        folder_(guests_folder(plan.lab)),
        keeper_(plan.namespace_of(plan.qemu), kGuestService, folder_) {}

  Result<void> start() {
    if (auto room = check_memory(); !room) return room;
    if (auto begun = keeper_.begin(); !begun) return begun;
    on_kvm_ = kvm_works();
    for (const PlannedGuest& guest : plan_.guests) {
      if (auto launched = launch(guest); !launched) return launched;
    }
    for (std::size_t g = 0; g < children_.size(); ++g) {
      if (auto begun = wait_for(g); !begun) return begun;
    }
    return {};
  }

  void run() {
    keeper_.serve([this] { return ended(); });
  }

 private:
  Result<void> check_memory() const {
    std::uint64_t wanted = 0;
    for (const PlannedGuest& guest : plan_.guests)
      wanted += site_[site_[guest.machine].image].memory + kOverhead;
    const std::uint64_t there = sys::available_memory();
    if (there == 0 || wanted <= there) return {};
    return base::fail(
        fmt::format("The {} guests that boot need {} MiB of memory, and {} MiB are free: give them "
                    "less `memory`, or fewer of them an image.",
                    plan_.guests.size(), wanted >> 20, there >> 20));
  }

  // A machine without a disk is started, and its BIOS (SeaBIOS, by the port of its debug messages) is to come
  // to the end. KVM in a virtual machine may be there and get stuck.
  bool kvm_works() const {
    if (!std::fstream("/dev/kvm", std::ios::in | std::ios::out).is_open()) return false;
    const std::string said = folder_ + "/bios";
    std::vector<std::string> words = machine_words(true, 16 << 20);
    words.insert(words.end(), {"-chardev", fmt::format("file,id=d,path={}", said), "-device",
                               "isa-debugcon,iobase=0x402,chardev=d"});
    auto child = sys::ChildProcess::start(words, {.log = folder_ + "/kvm.log", .environment = {}});
    const auto until = std::chrono::steady_clock::now() + kBiosEnds;
    while (child && child->runs() && std::chrono::steady_clock::now() < until) {
      std::ifstream file(said);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      if (text.contains("No bootable device")) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  // Each tap is opened in the namespace of its switch; QEMU has the descriptor alone.
  Result<void> launch(const PlannedGuest& guest) {
    std::vector<sys::Tap> taps;
    std::vector<int> descriptors;
    for (const PortId nic : guest.nics) {
      const Device& device = plan_.ports[nic.index()];
      auto space = sys::Namespace::open(plan_.namespace_of(device.space));
      if (!space) return std::unexpected(space.error());
      auto inside = sys::InNamespace::enter(*space);
      if (!inside) return std::unexpected(inside.error());
      auto tap = sys::Tap::open(device.name);
      if (!tap) return std::unexpected(tap.error());
      descriptors.push_back(tap->fd());
      taps.push_back(std::move(*tap));
    }
    auto child = sys::ChildProcess::start(
        qemu_words(site_, guest, on_kvm_, home_, folder_, descriptors),
        {.log = log_of(folder_, guest), .environment = {}, .descriptors = descriptors});
    if (!child) return base::fail(fmt::format("{}: {}", site_[guest.machine].name, child.error().what));
    children_.push_back(std::move(*child));
    return {};
  }

  // Its monitor greets at once, but does what it is told when all that QEMU was told is in order.
  Result<void> wait_for(std::size_t g) {
    const PlannedGuest& guest = plan_.guests[g];
    const auto until = std::chrono::steady_clock::now() + kStarts;
    while (children_[g].runs() && std::chrono::steady_clock::now() < until) {
      const auto answer = sys::ask_after_greeting(monitor_of(folder_, guest),
                                                  R"({"execute": "qmp_capabilities"})", kMonitorAnswers);
      if (answer && answer->contains("return")) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return base::fail(fmt::format("{}: QEMU did not start: {}.", site_[guest.machine].name,
                                  last_words(log_of(folder_, guest))));
  }

  std::string ended() {
    std::string names = on_kvm_ ? "KVM\n" : "emulation\n";
    for (std::size_t g = 0; g < children_.size(); ++g) {
      if (!children_[g].runs()) names += site_[plan_.guests[g].machine].name + "\n";
    }
    return names;
  }

  const model::Model& site_;
  const Plan& plan_;
  std::string home_, folder_;
  bool on_kvm_ = false;
  Keeper keeper_;
  std::vector<sys::ChildProcess> children_;  // by guest
};

}  // namespace

void run_guests(const model::Model& site, const Plan& plan, const std::string& home,
                const sys::Ready& ready) {
  Guests guests(site, plan, home);
  const auto started = guests.start();
  ready(started);
  if (started) guests.run();
}

// ---------------------------------------------------------------- waiting for them

namespace {

// An address of a guest, and the tap through which it is asked for it.
struct Asked {
  const PlannedGuest* guest;
  StationId nic;
  sys::PacketSocket tap;
  bool answers = false;

  void ask(const model::Model& site) {
    wire::Buffer bytes;
    // A probe (RFC 5227): with no sender's address, so that nobody learns one.
    wire::append_arp(bytes, {.destination = wire::kBroadcast, .source = kAsker},
                     {.sender_mac = kAsker, .target_ip = site[nic].ip.address});
    tap.queue(std::as_bytes(std::span(bytes)));
    tap.flush();
  }
  void listen(const model::Model& site) {
    constexpr std::size_t kHeader = 14, kAtOnce = 64;
    tap.receive(kAtOnce, [&](int, std::span<std::byte> frame) {
      const auto* octets = reinterpret_cast<const std::uint8_t*>(frame.data());
      if (frame.size() <= kHeader || octets[12] != 0x08 || octets[13] != 0x06) return;
      const auto arp = wire::parse_arp({octets + kHeader, frame.size() - kHeader});
      answers |= arp && arp->operation == wire::Arp::kReply && arp->sender_ip == site[nic].ip.address;
    });
  }
};

Result<std::vector<Asked>> whom_to_ask(const model::Model& site, const Plan& plan) {
  std::vector<Asked> asked;
  for (const PlannedGuest& guest : plan.guests) {
    if (!site[guest.machine].running) continue;
    for (const PortId port : guest.nics) {
      const StationId nic = site[port].station;
      if (site[nic].ip.address.is_zero() || site[nic].vlan != 0 || !site[site[port].link].up) continue;
      const Device& device = plan.ports[port.index()];
      auto space = sys::Namespace::open(plan.namespace_of(device.space));
      if (!space) return std::unexpected(space.error());
      auto inside = sys::InNamespace::enter(*space);
      if (!inside) return std::unexpected(inside.error());
      auto tap = sys::PacketSocket::open(device.name, {.promiscuous = true, .bypass_qdisc = true});
      if (!tap) return std::unexpected(tap.error());
      asked.push_back({&guest, nic, std::move(*tap)});
    }
  }
  return asked;
}

std::unexpected<base::Error> does_not_answer(const model::Model& site, const Plan& plan,
                                             const Asked& silent) {
  return base::fail(
      fmt::format("{} does not answer ARP for {} after {} s. Does its image take that address? Its console: "
                  "socat - UNIX-CONNECT:{}",
                  site[silent.guest->machine].name, wire::to_text(site[silent.nic].ip.address),
                  kBoots.count(), console_of(guests_folder(plan.lab), *silent.guest)));
}

}  // namespace

Result<bool> wait_for_guests(const model::Model& site, const Plan& plan, const std::function<bool()>& go_on) {
  auto asked = whom_to_ask(site, plan);
  if (!asked) return std::unexpected(asked.error());
  const auto until = std::chrono::steady_clock::now() + kBoots;
  while (true) {
    const auto silent = std::ranges::find(*asked, false, &Asked::answers);
    if (silent == asked->end()) return true;
    if (std::chrono::steady_clock::now() > until) return does_not_answer(site, plan, *silent);
    if (!go_on()) return false;
    for (Asked& one : *asked) {
      if (!one.answers) one.ask(site);
    }
    std::this_thread::sleep_for(kAsksAgain);
    for (Asked& one : *asked) one.listen(site);
  }
}

}  // namespace sekimori::lab

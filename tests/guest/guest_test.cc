// The second oracle: what the kernel under the tests may lack. Debian's own kernel runs in an emulated
// machine, boots into init.cc, and plays random bridges with VLAN filtering, as tests/differential does with
// the kernel at hand. Its answers are compared here with the simulator and with the live switch, copy by copy
// with their tags. One boot for all, without KVM, which is not everywhere and not everywhere sound.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>

#include "base/random.h"
#include "lab/live_switch.h"
#include "model/builder.h"
#include "sys/command.h"
#include "tests/differential/simulated.h"
#include "tests/guest/replay.h"
#include "tests/support/folder.h"

namespace sekimori::guest {
namespace {

using differential::Simulated;
using model::Mac;

constexpr std::size_t kSites = 600, kMacs = 7;
constexpr std::array<std::uint16_t, 3> kVlans{10, 20, 30};

struct Copy {
  std::size_t port;
  std::uint16_t tag;
  friend auto operator<=>(const Copy&, const Copy&) = default;
};
using Copies = std::vector<Copy>;

struct Played {
  std::uint64_t seed;
  Site site{};
  model::Model model;
  std::vector<model::PortId> ports;
};

// ---------------------------------------------------------------- random bridges

Mac mac_of(std::size_t m) { return Mac{0x0200'0000'0000u + m}; }

void choose_vlans(Site& site, base::Random& random) {
  for (std::size_t p = 0; p < site.ports; ++p) {
    Port& port = site.port[p];
    const std::uint64_t kind = random.below(4);
    port.pvid = kind == 3 ? std::uint16_t{0} : kVlans[random.below(kVlans.size())];
    if (kind < 2) continue;  // access
    for (std::size_t v = 0; v < kVlans.size(); ++v) {
      if (kVlans[v] != port.pvid && random.below(2) == 0) port.tagged[v] = kVlans[v];
    }
  }
}

bool carries(const Port& port, std::uint16_t vlan) {
  return port.pvid == vlan || std::ranges::find(port.tagged, vlan) != std::end(port.tagged);
}

Site choose_site(std::uint64_t seed) {
  base::Random random(seed);
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  Site site{};
  site.has_interface = one_in(2);
  site.filters = !one_in(6);
  site.ports = static_cast<std::uint32_t>(2 + random.below(kPorts - 1));
  site.mac = mac_of(0).bits;
  site.learning = !one_in(8);
  site.ages_at_once = one_in(6);
  if (site.filters) choose_vlans(site, random);
  for (std::size_t p = 0; p < site.ports; ++p) {
    Port& port = site.port[p];
    const bool is_interface = p == 0 && site.has_interface;
    port.learning = is_interface || !one_in(5);
    port.floods_unknown = !is_interface && !one_in(5);
    port.isolated = !is_interface && one_in(4);
    port.hairpin = !is_interface && one_in(6);
  }
  for (std::size_t n = random.below(kStatics + 1); n > 0; --n) {
    const std::size_t port = site.has_interface + random.below(site.ports - site.has_interface),
                      mac = site.has_interface + random.below(kMacs - site.has_interface);
    const std::uint16_t vlan = site.filters ? kVlans[random.below(kVlans.size())] : std::uint16_t{1};
    // The kernel takes none for a VLAN that the port is no member of.
    if (site.filters && !carries(site.port[port], vlan)) continue;
    const bool is_known = std::ranges::any_of(
        site.statics, [&](const Static& s) { return s.mac == mac_of(mac).bits && s.vlan == vlan; });
    if (!is_known) site.statics[n - 1] = {mac_of(mac).bits, static_cast<std::uint16_t>(port), vlan};
  }
  for (Frame& frame : site.frames) {
    frame.port = static_cast<std::uint16_t>(random.below(site.ports));
    frame.destination = one_in(7) ? wire::kBroadcast.bits : mac_of(random.below(kMacs)).bits;
    const bool is_own = site.has_interface && frame.port == 0;
    frame.source = is_own ? site.mac : mac_of(random.below(kMacs)).bits;
    if (one_in(2)) frame.tag = one_in(6) ? std::uint16_t{40} : kVlans[random.below(kVlans.size())];
  }
  return site;
}

Played make_site(std::uint64_t seed) {
  Played played{seed, choose_site(seed), {}, {}};
  const Site& site = played.site;
  model::Builder builder;
  const auto node = builder.add_machine("node", model::MachineKind::kHost).value();
  const auto bridge = builder.add_bridge("br", model::BridgeKind::kLinuxBridge, node).value();
  builder.model()[bridge].vlan_aware = site.filters;
  builder.model()[bridge].learning = site.learning;
  if (site.ages_at_once) builder.model()[bridge].ageing = base::Duration{0};
  for (std::size_t m = 0; m < kMacs; ++m) {
    const bool is_own = site.has_interface && m == 0;
    const auto machine =
        is_own ? node : builder.add_machine(fmt::format("h{}", m), model::MachineKind::kHost).value();
    const auto nic = builder.add_station(machine, "e", mac_of(m), model::MacOrigin::kDeclared).value();
    if (m >= site.ports) continue;  // of nobody
    model::PortId id;
    if (is_own) {
      id = builder.attach(nic, bridge, model::PortRole::kHost).value();
    } else {
      id = builder.bridge_port(bridge, std::to_string(m));
      EXPECT_TRUE(builder.connect(builder.wire_port(nic), id, model::Link{}).has_value());
    }
    played.ports.push_back(id);
    const Port& settings = site.port[m];
    model::VlanSet tagged;
    for (const std::uint16_t vlan : settings.tagged) {
      if (vlan != 0) tagged.set(vlan);
    }
    model::Port& port = builder.model()[id];
    if (site.filters) port.pvid = settings.pvid;
    port.tagged_vlans = builder.intern(tagged);
    port.learning = settings.learning;
    port.floods_unknown = settings.floods_unknown;
    port.isolated = settings.isolated;
    port.hairpin = settings.hairpin;
  }
  for (const Static& entry : site.statics) {
    if (entry.mac != 0)
      builder.model()[bridge].static_entries.push_back(
          {entry.vlan, Mac{entry.mac}, played.ports[entry.port]});
  }
  played.model = std::move(builder).finish();
  return played;
}

// ---------------------------------------------------------------- the guest

void put_file(std::string& archive, const std::string& name, const std::string& bytes, unsigned mode) {
  // cpio(5), "New ASCII Format".
  archive +=
      fmt::format("070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}",
                  archive.size() + 1, mode, 0, 0, 1, 0, bytes.size(), 0, 0, 0, 0, name.size() + 1, 0);
  archive += name + '\0';
  archive.resize((archive.size() + 3) / 4 * 4);
  archive += bytes;
  archive.resize((archive.size() + 3) / 4 * 4);
}

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Guest {
 public:
  // What it answers to all of them; empty when it does not.
  std::string play(const std::vector<Played>& sites) const {
    const std::string kernel = SEKIMORI_GUEST_KERNEL;
    const auto fetched = sys::run_command({SEKIMORI_ROOT "/tools/guest_kernel.sh", kernel},
                                          std::chrono::seconds(120), 1 << 20, false);
    EXPECT_TRUE(fetched.has_value() && fetched->exit == 0) << "no kernel for the guest";
    write_archive(kernel, sites);
    const auto run = sys::run_command({"qemu-system-x86_64",
                                       "-machine",
                                       "q35",
                                       "-accel",
                                       "tcg",
                                       "-cpu",
                                       "max",
                                       "-m",
                                       "512",
                                       "-nodefaults",
                                       "-display",
                                       "none",
                                       "-no-reboot",
                                       "-kernel",
                                       kernel + "/vmlinuz",
                                       "-initrd",
                                       folder_ + "/initramfs",
                                       "-append",
                                       "console=ttyS0 quiet panic=-1 mitigations=off rdinit=/init",
                                       "-serial",
                                       "file:" + folder_ + "/console",
                                       "-serial",
                                       "file:" + folder_ + "/answers"},
                                      std::chrono::seconds(400), 1 << 20, true);
    EXPECT_TRUE(run.has_value() && run->exit == 0) << "qemu-system-x86_64 failed";
    const std::string console = contents(folder_ + "/console");
    EXPECT_NE(console.find("ALL PLAYED"), std::string::npos) << console;
    return contents(folder_ + "/answers");
  }

 private:
  void write_archive(const std::string& kernel, const std::vector<Played>& sites) const {
    std::string archive, bytes;
    for (const Played& played : sites)
      bytes.append(reinterpret_cast<const char*>(&played.site), sizeof(Site));
    put_file(archive, "init", contents(SEKIMORI_GUEST_INIT), 0100755);
    put_file(archive, "sites", bytes, 0100644);
    put_file(archive, "modules", "", 040755);
    for (const auto& module : std::filesystem::directory_iterator(kernel + "/modules"))
      put_file(archive, "modules/" + module.path().filename().string(), contents(module.path()), 0100644);
    put_file(archive, "TRAILER!!!", "", 0);
    std::ofstream(folder_ + "/initramfs", std::ios::binary) << archive;
  }

  const testing::Folder home_;
  const std::string folder_ = home_.path().string();
};

Copies read_copies(const std::string& line) {
  Copies copies;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const auto dot = word.find('.');
    copies.push_back({std::stoul(word, nullptr, 16),
                      static_cast<std::uint16_t>(std::stoul(word.substr(dot + 1), nullptr, 16))});
  }
  std::ranges::sort(copies);
  return copies;
}

// ---------------------------------------------------------------- comparing

std::string text_of(const Copies& copies) {
  std::string text;
  for (const Copy& copy : copies) text += fmt::format(" {}/{}", copy.port, copy.tag);
  return text.empty() ? " -" : text;
}

std::string describe(const Played& played, std::size_t upto, const Copies& real, const Copies& live) {
  const Site& site = played.site;
  std::string text = fmt::format("seed {}:{}{}{}{}\n", played.seed, site.filters ? " filters VLANs" : "",
                                 site.has_interface ? ", port 0 is the bridge's own interface" : "",
                                 site.learning ? "" : ", no learning", site.ages_at_once ? ", ageing 0" : "");
  for (std::size_t p = 0; p < site.ports; ++p) {
    const Port& port = site.port[p];
    text += fmt::format("  port {}: untagged {}, tagged {} {} {}{}{}{}{}\n", p, port.pvid, port.tagged[0],
                        port.tagged[1], port.tagged[2], port.learning ? "" : ", learning off",
                        port.floods_unknown ? "" : ", flood off", port.isolated ? ", isolated" : "",
                        port.hairpin ? ", hairpin" : "");
  }
  for (const Static& s : site.statics) {
    if (s.mac != 0)
      text += fmt::format("  static {} in {} at port {}\n", wire::to_text(Mac{s.mac}), s.vlan, s.port);
  }
  for (std::size_t i = 0; i <= upto; ++i) {
    const Frame& f = site.frames[i];
    text += fmt::format("  in {} {} -> {} tag {}\n", f.port, wire::to_text(Mac{f.source}),
                        wire::to_text(Mac{f.destination}), f.tag);
  }
  return text + "  kernel" + text_of(real) + ", live" + text_of(live) + "\n";
}

// Returns how many copies there were; a difference ends it.
std::size_t compare(const Played& played, std::istream& answers) {
  Simulated simulated(played.model, model::BridgeId(0u));
  lab::LiveSwitch live(played.model, model::BridgeId(0u));
  std::size_t copies = 0;
  bool same = true;
  for (std::size_t i = 0; i < kFrames; ++i) {
    std::string line;
    std::getline(answers, line);
    if (!same) continue;  // the rest of the site's lines
    const Copies real = read_copies(line);
    copies += real.size();
    const Frame& frame = played.site.frames[i];
    const Mac to{frame.destination}, from{frame.source};
    const base::Time now = base::milliseconds(static_cast<std::int64_t>(i));
    Copies living;
    for (const auto& copy : live.relay(played.ports[frame.port], {to, from, frame.tag, 60}, now)) {
      living.push_back(
          {static_cast<std::size_t>(std::ranges::find(played.ports, copy.port) - played.ports.begin()),
           copy.tag});
    }
    std::ranges::sort(living);
    same = real == living;
    const auto sim = simulated.relay(played.ports[frame.port], {to, from, frame.tag}, now);
    for (std::size_t p = 0; p < sim.size(); ++p) {
      const auto here = [&](const Copy& c) { return c.port == p; };
      const auto tagged_here = [&](const Copy& c) { return c.port == p && c.tag != 0; };
      same &= sim[p].frames == std::ranges::count_if(real, here) &&
              sim[p].tagged == std::ranges::count_if(real, tagged_here);
    }
    if (!same) {
      ADD_FAILURE() << describe(played, i, real, living);
    }
  }
  return copies;
}

TEST(GuestKernel, BridgesThatFilterVlansDoWhatTheSimulatorDoes) {
  std::vector<Played> sites;
  for (std::uint64_t seed = 1; seed <= kSites; ++seed) sites.push_back(make_site(seed));
  std::istringstream answers(Guest().play(sites));
  ASSERT_FALSE(HasFailure());
  std::size_t copies = 0;
  for (const Played& played : sites) copies += compare(played, answers);
  EXPECT_EQ(answers.peek(), std::istringstream::traits_type::eof());
  EXPECT_GT(copies, kSites * kFrames / 2);  // something did happen
  std::printf("%zu bridges, %zu frames, %zu copies\n", kSites, kSites * kFrames, copies);
}

}  // namespace
}  // namespace sekimori::guest

// The only program of the guest: it is its init. It loads the modules that lie in /modules, in the order of
// their names, plays what is in /sites and /bonds, writes what happened to the second serial line, and
// switches the machine off. Linked statically, as there is nothing else in the guest.
#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/differential/test_bed.h"
#include "tests/guest/bonds.h"
#include "tests/guest/replay.h"
#include "tests/support/guest_boot.h"

namespace sekimori::guest {
namespace {

using differential::TestBed;
using testing::give_up;
using testing::off;
using wire::Mac;

void must(const base::Result<void>& done) {
  if (!done) give_up(done.error().what);
}

template <class Site>
std::vector<Site> read_all(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<Site> sites(bytes.size() / sizeof(Site));
  std::memcpy(static_cast<void*>(sites.data()), bytes.data(), sites.size() * sizeof(Site));
  return sites;
}

void answer(int line, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t put = ::write(line, text.data() + sent, text.size() - sent);
    if (put <= 0) give_up("the serial line");
    sent += static_cast<std::size_t>(put);
  }
}

// A serial line that changes no byte.
int open_line(const char* path) {
  const int fd = ::open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
  termios settings{};
  if (fd < 0 || ::tcgetattr(fd, &settings) != 0) testing::give_up_with_errno(path);
  ::cfmakeraw(&settings);
  ::tcsetattr(fd, TCSANOW, &settings);
  return fd;
}

class Bridges {
 public:
  Bridges(TestBed bed, const Site* sites, std::size_t count)
      : bed_(std::move(bed)), sites_(sites), count_(count) {
    for (std::size_t b = 0; b < count; ++b) build(b);
    if (!bed_.wait_for_ports()) give_up("ports do not come up");
  }

  std::string play() {
    for (std::size_t i = 0; i < kFrames; ++i) {
      for (std::size_t b = 0; b < count_; ++b) {
        send(b, i);
        if (b % 60 == 59) collect();  // the kernel's backlog holds 1000 copies
      }
      collect();
    }
    std::string text;
    for (std::size_t b = 0; b < count_; ++b) {
      for (std::size_t i = 0; i < kFrames; ++i) text += copies_[b << 16 | i] + "\n";
    }
    return text;
  }

 private:
  static std::string name(std::size_t b, std::size_t p) { return fmt::format("b{}p{}", b, p); }

  void build(std::size_t b) {
    const Site& site = sites_[b];
    sys::Links& links = bed_.links();
    const std::string bridge = fmt::format("b{}", b);
    sys::BridgeSettings settings;
    settings.mac = site.has_interface ? Mac{site.mac} : Mac{0x0e5f'0000'0000u + b};
    if (site.ages_at_once) settings.ageing = base::Duration{0};
    settings.vlan_filtering = site.filters;
    must(links.add_bridge(bridge, settings));
    must(links.set_up(bridge, true));
    note(b, 0, links.index(bridge).value(), true);
    for (std::size_t p = 0; p < site.ports; ++p) {
      const bool is_interface = p == 0 && site.has_interface;
      if (!is_interface) plug_in(b, p);
      if (site.has_stations) add_vlan_devices(b, p, is_interface);
      add_lower_devices(b, p);
      if (site.filters) give_vlans(is_interface ? bridge : name(b, p), site.port[p], is_interface);
    }
    for (const Static& entry : site.statics) {
      if (entry.mac != 0)
        must(links.add_fdb_entry(name(b, entry.port), Mac{entry.mac}, true, site.filters ? entry.vlan : 0));
    }
  }

  void plug_in(std::size_t b, std::size_t p) {
    const auto mac = sites_[b].port[p].mac;
    const bool is_nic = sites_[b].port[p].lower_devices != 0;
    const auto far =
        bed_.add_port(name(b, p), is_nic ? std::optional(Mac{mac_of_lower_nic(p)}) : std::nullopt,
                      mac != 0 ? std::optional(Mac{mac}) : std::nullopt);
    if (!far) give_up(far.error().what);
    note(b, p, *far, false);
    must(bed_.links().enslave(name(b, p), fmt::format("b{}", b)));
    const Port& port = sites_[b].port[p];
    sys::BridgePortSettings flags;
    flags.learning = sites_[b].learning && port.learning;
    flags.floods_unknown = port.floods_unknown;
    flags.isolated = port.isolated;
    flags.hairpin = port.hairpin;
    must(bed_.links().set_port(name(b, p), flags));
  }

  // Those of a bridge's interface are among the switches, those of a NIC at the far end.
  void add_vlan_devices(std::size_t b, std::size_t p, bool is_interface) {
    sys::Links& links = is_interface ? bed_.links() : bed_.far_links();
    const std::string below = is_interface ? fmt::format("b{}", b) : name(b, p);
    where_taken_[{links.index(below).value(), is_interface}] = {b, fmt::format("{:x}.0", p)};
    const Port& port = sites_[b].port[p];
    for (std::size_t v = 0; v < kVlans.size(); ++v) {
      if ((port.vlan_devices >> v & 1) == 0) continue;
      const std::string device = fmt::format("{}.{}", below, kVlans[v]);
      const bool is_own = (port.own_macs >> v & 1) != 0;
      must(links.add_vlan_device(device, below, kVlans[v],
                                 is_own ? std::optional(Mac{mac_of_vlan_device(p, v)}) : std::nullopt));
      must(links.set_up(device, true));
      const int index = links.index(device).value();
      vlan_devices_[{b, p, kVlans[v]}] = index;
      where_taken_[{index, is_interface}] = {b, fmt::format("{:x}.{:x}", p, kVlans[v])};
    }
  }

  // Of the port itself, below the bridge.
  void add_lower_devices(std::size_t b, std::size_t p) {
    sys::Links& links = bed_.links();
    const Port& port = sites_[b].port[p];
    for (std::size_t v = 0; v < kVlans.size(); ++v) {
      if ((port.lower_devices >> v & 1) == 0) continue;
      const std::string device = fmt::format("{}.{}", name(b, p), kVlans[v]);
      must(links.add_vlan_device(device, name(b, p), kVlans[v],
                                 Mac{mac_of_lower_device(p, v, port.first_has_nics_mac != 0)}));
      must(links.set_up(device, true));
      const int index = links.index(device).value();
      lower_devices_[{b, p, kVlans[v]}] = index;
      where_taken_[{index, true}] = {b, fmt::format("{:x}.{:x}", p + kPorts, kVlans[v])};
    }
  }

  void give_vlans(const std::string& device, const Port& port, bool is_bridge) {
    if (port.pvid != 0) must(bed_.links().add_vlan(device, port.pvid, true, is_bridge));
    for (const std::uint16_t vlan : port.tagged) {
      if (vlan != 0) must(bed_.links().add_vlan(device, vlan, false, is_bridge));
    }
  }

  void note(std::size_t b, std::size_t p, int device, bool among_switches) {
    if (!among_switches || sites_[b].has_interface) {
      devices_[{b, p}] = device;
      where_[{device, among_switches}] = {b, p};
    }
  }

  void send(std::size_t b, std::size_t i) {
    const Frame& frame = sites_[b].frames[i];
    const auto number = static_cast<TestBed::Number>(b << 16 | i);
    const int device = devices_.at({b, frame.port});
    const Mac to{frame.destination}, from{frame.source};
    const bool is_interface = sites_[b].has_interface && frame.port == 0;
    const std::uint16_t tags[] = {frame.sent == Sent::kPriority ? std::uint16_t{0} : frame.tag, frame.inner};
    switch (frame.sent) {
      case Sent::kAsItIs:
        return bed_.send_tagged(is_interface, device, to, from, number,
                                std::span(tags).first(frame.tag != 0));
      case Sent::kByDevice:
        return bed_.send_tagged(is_interface, vlan_devices_.at({b, frame.port, frame.tag}), to, from, number,
                                {});
      case Sent::kPriority:
        return bed_.send_tagged(is_interface, device, to, from, number, std::span(tags).first(1));
      case Sent::kTwoTags:
        return bed_.send_tagged(is_interface, device, to, from, number, tags);
      case Sent::kFromBelow:
        return bed_.send_tagged(true, lower_devices_.at({b, frame.port, frame.tag}), to, from, number, {});
    }
  }

  void collect() {
    const bool all = bed_.settle([&](const TestBed::Heard& heard) {
      if (heard.taken) return note_taken(heard);
      const auto at = where_.find({heard.device, heard.among_switches});
      if (at == where_.end()) return;
      if (at->second.first != heard.number >> 16) give_up("a frame got to another bridge");
      std::string& line = copies_[heard.number];
      line += fmt::format("{}{:x}.{:x}", line.empty() ? "" : " ", at->second.second, heard.tag);
    });
    if (!all) give_up("frames were lost");
  }

  void note_taken(const TestBed::Heard& heard) {
    const auto at = where_taken_.find({heard.device, heard.among_switches});
    if (at == where_taken_.end()) return;
    if (at->second.first != heard.number >> 16) give_up("a frame got to another bridge's station");
    std::string& line = copies_[heard.number];
    line += fmt::format("{}+{}", line.empty() ? "" : " ", at->second.second);
  }

  TestBed bed_;
  const Site* sites_;
  std::size_t count_;
  std::map<std::pair<std::size_t, std::size_t>, int> devices_;
  std::map<std::pair<int, bool>, std::pair<std::size_t, std::size_t>> where_;
  std::map<std::tuple<std::size_t, std::size_t, std::uint16_t>, int> vlan_devices_, lower_devices_;
  std::map<std::pair<int, bool>, std::pair<std::size_t, std::string>>
      where_taken_;                            // the site, and "PORT.VLAN"
  std::map<std::size_t, std::string> copies_;  // by number
};

void play(const std::vector<Site>& sites, int line) {
  constexpr std::size_t kAtOnce = 120;
  for (std::size_t first = 0; first < sites.size(); first += kAtOnce) {
    auto bed = TestBed::make();
    if (!bed) give_up(bed.error().what);
    must(bed->listen_to_stacks());
    Bridges bridges(std::move(*bed), &sites[first], std::min(kAtOnce, sites.size() - first));
    answer(line, bridges.play());
    std::printf("%zu sites\n", first + kAtOnce);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace sekimori::guest

int main() {
  using namespace sekimori::guest;
  sekimori::testing::boot();
  const int line = open_line("/dev/ttyS1");
  play(read_all<Site>("/sites"), line);
  try {
    answer(line, play_bonds(read_all<BondSite>("/bonds")));
  } catch (const std::exception& failure) {
    give_up(failure.what());
  }
  ::tcdrain(line);
  std::printf("ALL PLAYED\n");
  std::fflush(stdout);
  ::tcdrain(1);
  off();
}

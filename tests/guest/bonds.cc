// Bonds of the guest's kernel, by sysfs (Documentation/networking/bonding.rst): with `tlb_dynamic_lb 0`, and
// without the learning packets that come at a time.
#include "tests/guest/bonds.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <span>
#include <stdexcept>
#include <thread>

#include "sys/links.h"
#include "sys/namespaces.h"
#include "sys/packet_socket.h"

namespace sekimori::guest {
namespace {

using wire::Mac;

template <class T>
T must(base::Result<T> done) {
  if (!done) throw std::runtime_error(done.error().what);
  if constexpr (!std::is_void_v<T>) return std::move(*done);
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::string text;
  std::getline(in, text);
  return text;
}
void write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text << std::flush;
  if (!out) throw std::runtime_error(fmt::format("{} takes no {}", path, text));
}

sys::PacketSocket socket_in(const sys::Namespace& space) {
  const auto inside = must(sys::InNamespace::enter(space));
  for (const char* scope : {"all", "default"}) [[maybe_unused]]
    const auto quiet = sys::write_setting(fmt::format("net/ipv6/conf/{}/disable_ipv6", scope), "1");
  return must(sys::PacketSocket::open("", {.bypass_qdisc = true, .receive_buffer = 8 << 20}));
}

// The bonds are in one namespace, the far ends of their NICs in another.
class Bonds {
 public:
  Bonds(const BondSite* sites, std::size_t count)
      : sites_(sites),
        count_(count),
        near_(must(sys::Namespace::create_nameless())),
        far_(must(sys::Namespace::create_nameless())),
        near_socket_(socket_in(near_)),
        far_socket_(socket_in(far_)),
        near_links_(must(sys::Links::open(near_))),
        far_links_(must(sys::Links::open(far_))),
        up_(count, std::vector<bool>(kMostNics, true)) {
    const auto inside = must(sys::InNamespace::enter(near_));
    ::mkdir("/sys", 0755);
    // It shows the devices of the namespace that mounts it.
    if (::mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0) throw std::runtime_error("sysfs");
    for (std::size_t b = 0; b < count; ++b) build(b);
    for (std::size_t b = 0; b < count; ++b) {
      for (std::size_t n = 0; n < sites[b].nics; ++n) wait_for(b, n);
    }
    collect();
    for (auto& [line, text] : answers_) text.clear();
  }
  ~Bonds() { ::umount2("/sys", MNT_DETACH); }

  std::string play() {
    for (std::size_t i = 0; i < kBondFrames; ++i) {
      toggle(i);
      collect();  // what the change made the bond say
      answers_.clear();
      for (std::size_t b = 0; b < count_; ++b) send(b, sites_[b].frames[i]);
      collect();
      for (std::size_t b = 0; b < count_; ++b) lines_[b << 16 | i] = answers_[b];
    }
    std::string text;
    for (const auto& [number, line] : lines_) text += line + "\n";
    return text;
  }

 private:
  static std::string bond(std::size_t b) { return fmt::format("b{}", b); }
  static std::string nic(std::size_t b, std::size_t n) { return fmt::format("b{}n{}", b, n); }
  static std::string setting(std::size_t b, const char* name) {
    return fmt::format("/sys/class/net/{}/bonding/{}", bond(b), name);
  }

  void build(std::size_t b) {
    const BondSite& site = sites_[b];
    write_file("/sys/class/net/bonding_masters", "+" + bond(b));
    write_file(setting(b, "mode"), std::to_string(site.mode));
    write_file(setting(b, "miimon"), "5");
    write_file(setting(b, "xmit_hash_policy"), std::to_string(site.policy));
    if (site.mode >= 5) {
      write_file(setting(b, "tlb_dynamic_lb"), "0");
      write_file(setting(b, "lp_interval"), "2147483647");
    }
    for (std::size_t n = 0; n < site.nics; ++n) {
      const Mac far{0x0e5f'0000'0000u + b * kMostNics + n};
      must(sys::Links::add_veth({near_, nic(b, n), Mac{site.macs[n]}}, {far_, nic(b, n), far}));
      must(far_links_.set_up(nic(b, n), true));
      must(near_links_.enslave(nic(b, n), bond(b)));
      where_[{must(far_links_.index(nic(b, n))), false}] = {b, n + 1};
      far_index_[{b, n}] = must(far_links_.index(nic(b, n)));
    }
    if (site.primary != 0) write_file(setting(b, "primary"), nic(b, site.primary - 1u));
    must(near_links_.set_up(bond(b), true));
    bond_index_[b] = must(near_links_.index(bond(b)));
    where_[{bond_index_[b], true}] = {b, 0};
  }

  // Until the bond has seen what happened to the link.
  void wait_for(std::size_t b, std::size_t n) {
    const std::string path = fmt::format("/sys/class/net/{}/bonding_slave/mii_status", nic(b, n));
    const std::string wanted = up_[b][n] ? "up" : "down";
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (read_file(path) != wanted) {
      if (std::chrono::steady_clock::now() > until) throw std::runtime_error(path + " is not " + wanted);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  void toggle(std::size_t i) {
    for (std::size_t b = 0; b < count_; ++b) {
      const std::size_t changed = sites_[b].frames[i].toggle;
      if (changed == 0) continue;
      up_[b][changed - 1] = !up_[b][changed - 1];
      must(far_links_.set_up(nic(b, changed - 1), up_[b][changed - 1]));
    }
    for (std::size_t b = 0; b < count_; ++b) {
      if (sites_[b].frames[i].toggle != 0) wait_for(b, sites_[b].frames[i].toggle - 1u);
    }
  }

  void send(std::size_t b, const BondFrame& frame) {
    const auto bytes = std::as_bytes(std::span(frame.bytes, frame.size));
    if (frame.from == 0) {
      near_socket_.send(bond_index_[b], bytes);
    } else if (up_[b][frame.from - 1u]) {
      far_socket_.send(far_index_[{b, frame.from - 1u}], bytes);
    }
  }

  // There is one processor, and veth hands over within the call that sends.
  void collect() {
    for (int quiet = 0; quiet < 2;) {
      std::size_t got = 0;
      for (const bool near : {true, false}) {
        got += (near ? near_socket_ : far_socket_).receive(256, [&](int device, sys::PacketSocket::Frame f) {
          note(device, near, f);
        });
      }
      quiet = got == 0 ? quiet + 1 : 0;
      if (quiet == 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (near_socket_.overrun() + far_socket_.overrun() > 0) throw std::runtime_error("frames were lost");
  }

  void note(int device, bool near, sys::PacketSocket::Frame frame) {
    const auto at = where_.find({device, near});
    // A NIC's learning packet, which comes when it comes: it is the only frame that a NIC sends to itself.
    const bool is_learning_packet = std::memcmp(frame.data(), frame.data() + 6, 6) == 0;
    if (at == where_.end() || is_learning_packet) return;
    const auto& [b, nic] = at->second;
    std::string& line = answers_[b];
    if (!line.empty()) line += ' ';
    line += fmt::format("{}:", nic);
    if (nic == 0) return;
    for (const std::byte octet : frame.first(std::min(frame.size(), kShownBytes)))
      line += fmt::format("{:02x}", std::to_integer<unsigned>(octet));
  }

  const BondSite* sites_;
  std::size_t count_;
  sys::Namespace near_, far_;
  sys::PacketSocket near_socket_, far_socket_;
  sys::Links near_links_, far_links_;
  std::vector<std::vector<bool>> up_;
  std::map<std::pair<int, bool>, std::pair<std::size_t, std::size_t>> where_;
  std::map<std::pair<std::size_t, std::size_t>, int> far_index_;
  std::map<std::size_t, int> bond_index_;
  std::map<std::size_t, std::string> answers_, lines_;
};

}  // namespace

std::string play_bonds(const std::vector<BondSite>& sites) {
  constexpr std::size_t kAtOnce = 60;
  std::string text;
  for (std::size_t first = 0; first < sites.size(); first += kAtOnce)
    text += Bonds(&sites[first], std::min(kAtOnce, sites.size() - first)).play();
  return text;
}

}  // namespace sekimori::guest

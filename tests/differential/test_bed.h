// Frames into a kernel's switches and out of them again, from one thread.
//
// Two namespaces: the switches with their ports are in one, the far ends of the ports' veth pairs in the
// other. One packet socket on all devices of the latter sends and collects everything. Which frame a copy is
// of stands in the frame, so frames of many switches may be under way at once.
//
// What a veth receives waits in the backlog of the processor that sent it (net/core/dev.c,
// enqueue_to_backlog), which is first in, first out. So the thread stays on one processor, and a frame
// through two hops that is sent last (the sentinel) is heard last: when it is, everything before it is
// through, however busy the machine is.
#pragma once

#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "sys/links.h"
#include "sys/namespaces.h"
#include "sys/packet_socket.h"

namespace sekimori::differential {

using wire::Mac;

class TestBed {
 public:
  // Of the frame that a copy is of.
  using Number = std::uint32_t;
  static constexpr std::size_t kFrameBytes = 60;

  // `protocol_only`: among the switches only what reaches a device's own stack is heard
  // (sys/packet_socket.h).
  static base::Result<TestBed> make(bool protocol_only = false) {
    auto switches = sys::Namespace::create_nameless();
    if (!switches) return std::unexpected(switches.error());
    auto stations = sys::Namespace::create_nameless();
    if (!stations) return std::unexpected(stations.error());
    auto links = sys::Links::open(*switches);
    if (!links) return std::unexpected(links.error());
    auto far = sys::Links::open(*stations);
    if (!far) return std::unexpected(far.error());
    for (const sys::Namespace* space : {&*switches, &*stations}) {
      if (auto quiet = silence(*space); !quiet) return std::unexpected(quiet.error());
    }
    auto sockets = std::pair(open_socket(*switches, protocol_only), open_socket(*stations, false));
    if (!sockets.first) return std::unexpected(sockets.first.error());
    if (!sockets.second) return std::unexpected(sockets.second.error());
    TestBed bed(std::move(*switches), std::move(*stations), std::move(*links), std::move(*far),
                std::move(*sockets.first), std::move(*sockets.second));
    if (auto sentinel = bed.make_sentinel(); !sentinel) return std::unexpected(sentinel.error());
    return bed;
  }

  // From now on each frame is heard once more where a device's stack takes it: Heard::taken.
  base::Result<void> listen_to_stacks() {
    for (const sys::Namespace* space : {&switches_, &stations_}) {
      auto inside = sys::InNamespace::enter(*space);
      if (!inside) return std::unexpected(inside.error());
      auto socket = sys::PacketSocket::open(
          "", {.protocol = kEtherType, .for_device_only = true, .receive_buffer = 32 << 20});
      if (!socket) return std::unexpected(socket.error());
      stacks_.push_back(std::move(*socket));
    }
    return {};
  }

  // A port of a switch: the device `name` among the switches, and its far end. Returns the far end's index.
  base::Result<int> add_port(const std::string& name, std::optional<Mac> mac = {},
                             std::optional<Mac> far_mac = {}) {
    const Mac near = mac.value_or(Mac{kOwnMacs + ++ports_}), far = far_mac.value_or(Mac{kOwnMacs + ++ports_});
    if (auto made = sys::Links::add_veth({switches_, name, near}, {stations_, name, far}); !made)
      return std::unexpected(made.error());
    for (sys::Links* side : {&links_, &far_links_}) {
      if (auto up = side->set_up(name, true); !up) return std::unexpected(up.error());
    }
    return far_links_.index(name);
  }

  sys::Links& links() { return links_; }
  sys::Links& far_links() { return far_links_; }
  const sys::Namespace& switches() const { return switches_; }

  // Waits until every port forwards.
  [[nodiscard]] bool wait_for_ports() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < until) {
      const auto all = links_.list();
      if (!all) return false;
      if (std::ranges::all_of(*all, [](const sys::LinkState& l) { return !l.up || l.passes; })) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  // The frame comes in at the port with that far end.
  void send(int far_end, Mac destination, Mac source, Number number, std::uint16_t tag = 0) {
    put(stations_socket_, far_end, destination, source, number, tag_of(tag));
  }
  // The frame is sent by the switch's own interface.
  void send_from_interface(int interface, Mac destination, Mac source, Number number, std::uint16_t tag = 0) {
    put(switches_socket_, interface, destination, source, number, tag_of(tag));
  }
  // From a device among the switches, or among the far ends, with as many tags, the outer one first, of which
  // VID 0 is one, too.
  void send_tagged(bool among_switches, int device, Mac destination, Mac source, Number number,
                   std::span<const std::uint16_t> tags) {
    put(among_switches ? switches_socket_ : stations_socket_, device, destination, source, number, tags);
  }

  // IP addresses that ask by ARP: 172.16/12 with the number of the frame in it.
  static constexpr std::uint32_t kAskers = 0xac10'0000u;
  // Of a Neighbor Discovery message: reserved bits, which take the number of a frame.
  static constexpr std::size_t kReservedAt = 14 + 40 + 4;
  // A frame of any other form: its number is put behind it. What a switch answers to ARP and Neighbor
  // Discovery is known by the asker's address, that of IPv6 being in fdaa::/96 with the number at its end.
  void send_marked(int far_end, std::vector<std::uint8_t> frame, Number number) {
    frame.insert(frame.end(), kMark.begin(), kMark.end());
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&number);
    frame.insert(frame.end(), octets, octets + sizeof number);
    stations_socket_.send(far_end, std::as_bytes(std::span(frame)));
  }

  // A frame of any form, also cut short or padded on the way: its number stands in its source.
  static Mac numbered_source(Number number) { return Mac{kNumbered << 32 | number}; }
  void send_numbered(bool among_switches, int device, std::span<const std::uint8_t> frame) {
    (among_switches ? switches_socket_ : stations_socket_).send(device, std::as_bytes(frame));
  }

  struct Heard {
    int device;
    Number number;
    // At a device among the switches, which for a port is the frame that came in there; else at a far end.
    bool among_switches;
    std::uint16_t tag;   // the outer one's VID; 0: none, or VID 0
    bool taken = false;  // by the stack of the device, and so heard once more
    // ARP or Neighbor Discovery that a switch made; else a copy of what was sent.
    bool is_answer = false;
    Mac source{};
  };

  // Waits until all that was sent has arrived. Calls each(heard) for every copy.
  template <class Each>
  [[nodiscard]] bool settle(Each each) {
    const Number sentinel = kSentinel | ++sentinels_;
    put(stations_socket_, sentinel_in_, Mac{kOwnMacs - 1}, Mac{kOwnMacs - 2}, sentinel, {});
    bool through = false;
    return listen(
        [&](const Heard& heard) {
          through |= heard.number == sentinel;
          if (!(heard.number & kSentinel)) each(heard);
        },
        [&] { return through; });
  }

  // Calls each(heard) for every copy until done(), and then for those that wait already. False when that
  // takes too long, or copies were lost.
  template <class Each, class Done>
  [[nodiscard]] bool listen(Each each, Done done) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < until) {
      if (collect(each) == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    while (collect(each) > 0) {
    }
    return done() && stations_socket_.overrun() == 0 && switches_socket_.overrun() == 0 &&
           std::ranges::all_of(stacks_, [](sys::PacketSocket& socket) { return socket.overrun() == 0; });
  }

 private:
  template <class Each>
  std::size_t collect(Each& each) {
    std::size_t all = 0;
    for (const bool among_switches : {false, true}) {
      auto& socket = among_switches ? switches_socket_ : stations_socket_;
      all += socket.receive(256, [&](int device, sys::PacketSocket::Frame frame) {
        if (const auto read = read_frame(frame))
          each(Heard{device, read->first, among_switches, read->second});
        else if (const Mac source = source_of(frame); source.bits >> 32 == kNumbered)
          each(Heard{device, static_cast<Number>(source.bits), among_switches, 0});
        else if (const auto asked = read_resolution(frame))
          each(Heard{device, asked->number, among_switches, 0, false, asked->is_answer, asked->source});
      });
    }
    for (std::size_t s = 0; s < stacks_.size(); ++s) {
      all += stacks_[s].receive(256, [&](int device, sys::PacketSocket::Frame frame) {
        if (const auto read = read_frame(frame)) each(Heard{device, read->first, s == 0, read->second, true});
      });
    }
    return all;
  }

  static std::span<const std::uint16_t> tag_of(const std::uint16_t& tag) {
    return std::span(&tag, tag != 0 ? std::size_t{1} : std::size_t{0});
  }

  static constexpr std::uint64_t kNumbered = 0x025e;
  static constexpr Number kSentinel = 0x8000'0000u;
  static constexpr std::uint64_t kOwnMacs = 0x0e5e'0000'0000u;
  static constexpr std::size_t kNumberAt = 20, kTagBytes = 4, kArpBytes = 42;
  static constexpr std::uint16_t kEtherType = 0x88b5;  // for experiments (IEEE 802)
  static constexpr std::array<std::uint8_t, 6> kMark{kEtherType >> 8, kEtherType & 0xff, 's', 'e', 'k', 'i'};

  TestBed(sys::Namespace switches, sys::Namespace stations, sys::Links links, sys::Links far,
          sys::PacketSocket switches_socket, sys::PacketSocket stations_socket)
      : switches_(std::move(switches)),
        stations_(std::move(stations)),
        links_(std::move(links)),
        far_links_(std::move(far)),
        switches_socket_(std::move(switches_socket)),
        stations_socket_(std::move(stations_socket)) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(std::max(0, ::sched_getcpu())), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }

  static base::Result<void> silence(const sys::Namespace& space) {
    auto inside = sys::InNamespace::enter(space);
    if (!inside) return std::unexpected(inside.error());
    for (const char* scope : {"all", "default"}) {
      [[maybe_unused]] const auto no_ipv6 =
          sys::write_setting("net/ipv6/conf/" + std::string(scope) + "/disable_ipv6", "1");
    }
    return {};
  }

  static base::Result<sys::PacketSocket> open_socket(const sys::Namespace& space, bool protocol_only) {
    auto inside = sys::InNamespace::enter(space);
    if (!inside) return std::unexpected(inside.error());
    return sys::PacketSocket::open("", {.promiscuous = false,
                                        .bypass_qdisc = true,
                                        .protocol = protocol_only ? kEtherType : std::uint16_t{0},
                                        .receive_buffer = 32 << 20});
  }

  base::Result<void> make_sentinel() {
    const auto in = add_port("sentinel0");
    if (!in) return std::unexpected(in.error());
    if (const auto out = add_port("sentinel1"); !out) return std::unexpected(out.error());
    sentinel_in_ = *in;
    sys::BridgeSettings settings;
    settings.mac = Mac{kOwnMacs};
    if (auto made = links_.add_bridge("sentinel", settings); !made) return made;
    for (const char* port : {"sentinel0", "sentinel1"}) {
      if (auto joined = links_.enslave(port, "sentinel"); !joined) return joined;
    }
    return links_.set_up("sentinel", true);
  }

  static constexpr std::size_t kMostTags = 2;

  static void put(sys::PacketSocket& socket, int device, Mac destination, Mac source, Number number,
                  std::span<const std::uint16_t> tags) {
    std::array<std::byte, kFrameBytes + kMostTags * kTagBytes> frame{};
    std::memcpy(frame.data(), destination.octets().data(), 6);
    std::memcpy(frame.data() + 6, source.octets().data(), 6);
    std::size_t shift = 0;
    for (const std::uint16_t tag : tags) {
      const std::array<std::uint8_t, kTagBytes> bytes{0x81, 0, static_cast<std::uint8_t>(tag >> 8),
                                                      static_cast<std::uint8_t>(tag)};
      std::memcpy(frame.data() + 12 + shift, bytes.data(), kTagBytes);
      shift += kTagBytes;
    }
    std::memcpy(frame.data() + shift + 12, kMark.data(), kMark.size());
    std::memcpy(frame.data() + shift + kNumberAt, &number, sizeof number);
    socket.send(device, std::span(frame.data(), kFrameBytes + shift));
  }

  static Mac source_of(sys::PacketSocket::Frame frame) {
    return Mac::from_octets(reinterpret_cast<const std::uint8_t*>(frame.data()) + 6);
  }

  // The number and the outer tag's VID (0: none) of one of ours.
  static std::optional<std::pair<Number, std::uint16_t>> read_frame(sys::PacketSocket::Frame frame) {
    const auto octet = [&](std::size_t at) { return std::to_integer<unsigned>(frame[at]); };
    std::size_t shift = 0;
    while (shift < kMostTags * kTagBytes && frame.size() >= kFrameBytes + shift + kTagBytes &&
           octet(12 + shift) == 0x81 && octet(13 + shift) == 0)
      shift += kTagBytes;
    if (frame.size() != kFrameBytes + shift ||
        std::memcmp(frame.data() + shift + 12, kMark.data(), kMark.size()) != 0)
      return std::nullopt;
    Number number = 0;
    std::memcpy(&number, frame.data() + shift + kNumberAt, sizeof number);
    return std::pair(number,
                     static_cast<std::uint16_t>(shift > 0 ? (octet(14) << 8 | octet(15)) & 0xfff : 0));
  }

  struct Resolution {
    Number number;
    bool is_answer;
    Mac source;
  };
  static bool is_marked(sys::PacketSocket::Frame frame, Number& number) {
    const std::byte* mark = frame.data() + frame.size() - kMark.size() - sizeof number;
    if (std::memcmp(mark, kMark.data(), kMark.size()) != 0) return false;
    std::memcpy(&number, mark + kMark.size(), sizeof number);
    return true;
  }
  // Answers bear no mark: they are for an asker's address.
  static std::optional<Resolution> read_resolution(sys::PacketSocket::Frame frame) {
    const auto octet = [&](std::size_t at) { return std::to_integer<std::uint32_t>(frame[at]); };
    if (frame.size() >= 78 && octet(12) == 0x86 && octet(13) == 0xdd) return read_discovery(frame);
    if (frame.size() < kArpBytes || octet(12) != 0x08 || octet(13) != 0x06) return std::nullopt;
    const Mac source = Mac::from_octets(reinterpret_cast<const std::uint8_t*>(frame.data()) + 6);
    Number number = 0;
    if (is_marked(frame, number)) return Resolution{number, false, source};
    const std::uint32_t target = octet(38) << 24 | octet(39) << 16 | octet(40) << 8 | octet(41);
    if ((target & 0xfff0'0000u) != kAskers) return std::nullopt;
    return Resolution{target & 0xf'ffffu, true, source};
  }
  static std::optional<Resolution> read_discovery(sys::PacketSocket::Frame frame) {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(frame.data());
    const Mac source = Mac::from_octets(octets + 6);
    Number number = 0;
    // bridge-nf-call-ip6tables cuts off what is behind the packet, so a copy has its number inside.
    const bool is_answer = octets[38] == 0xfd && octets[39] == 0xaa;
    const std::size_t at = is_answer ? 50 : kReservedAt;
    for (std::size_t i = 0; i < 4; ++i) number = number << 8 | octets[at + i];
    return Resolution{number & 0xf'ffffu, is_answer, source};
  }

  sys::Namespace switches_, stations_;
  sys::Links links_, far_links_;
  sys::PacketSocket switches_socket_, stations_socket_;
  std::vector<sys::PacketSocket> stacks_;  // none, or of the switches and of the stations
  std::uint64_t ports_ = 0;
  Number sentinels_ = 0;
  int sentinel_in_ = 0;
};

}  // namespace sekimori::differential

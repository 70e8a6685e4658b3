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

  static base::Result<TestBed> make() {
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
    auto sockets = std::pair(open_socket(*switches), open_socket(*stations));
    if (!sockets.first) return std::unexpected(sockets.first.error());
    if (!sockets.second) return std::unexpected(sockets.second.error());
    TestBed bed(std::move(*switches), std::move(*stations), std::move(*links), std::move(*far),
                std::move(*sockets.first), std::move(*sockets.second));
    if (auto sentinel = bed.make_sentinel(); !sentinel) return std::unexpected(sentinel.error());
    return bed;
  }

  // A port of a switch: the device `name` among the switches, and its far end. Returns the far end's index.
  base::Result<int> add_port(const std::string& name) {
    const Mac near{kOwnMacs + ++ports_}, far{kOwnMacs + ++ports_};
    if (auto made = sys::Links::add_veth({switches_, name, near}, {stations_, name, far}); !made)
      return std::unexpected(made.error());
    for (sys::Links* side : {&links_, &far_links_}) {
      if (auto up = side->set_up(name, true); !up) return std::unexpected(up.error());
    }
    return far_links_.index(name);
  }

  sys::Links& links() { return links_; }
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
  void send(int far_end, Mac destination, Mac source, Number number) {
    put(stations_socket_, far_end, destination, source, number);
  }
  // The frame is sent by the switch's own interface.
  void send_from_interface(int interface, Mac destination, Mac source, Number number) {
    put(switches_socket_, interface, destination, source, number);
  }

  // Waits until all that was sent has arrived. Calls each(device, number, from_interface) for every copy: at
  // a far end, or (from_interface) at a device among the switches, which for a port is the frame that came in
  // there.
  template <class Each>
  [[nodiscard]] bool settle(Each each) {
    const Number sentinel = kSentinel | ++sentinels_;
    put(stations_socket_, sentinel_in_, Mac{kOwnMacs - 1}, Mac{kOwnMacs - 2}, sentinel);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    bool heard = false;
    while (!heard && std::chrono::steady_clock::now() < until) {
      const std::size_t got = stations_socket_.receive(256, [&](int device, sys::PacketSocket::Frame frame) {
        const auto number = number_in(frame);
        if (!number) return;
        heard |= *number == sentinel;
        if (!(*number & kSentinel)) each(device, *number, false);
      });
      if (got == 0 && !heard) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    while (switches_socket_.receive(256, [&](int device, sys::PacketSocket::Frame frame) {
      const auto number = number_in(frame);
      if (number && !(*number & kSentinel)) each(device, *number, true);
    }) > 0) {
    }
    return heard && stations_socket_.overrun() == 0 && switches_socket_.overrun() == 0;
  }

 private:
  static constexpr Number kSentinel = 0x8000'0000u;
  static constexpr std::uint64_t kOwnMacs = 0x0e5e'0000'0000u;
  static constexpr std::size_t kNumberAt = 20;
  static constexpr std::array<std::uint8_t, 6> kMark{0x88, 0xb5, 's',
                                                     'e',  'k',  'i'};  // EtherType for experiments

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

  static base::Result<sys::PacketSocket> open_socket(const sys::Namespace& space) {
    auto inside = sys::InNamespace::enter(space);
    if (!inside) return std::unexpected(inside.error());
    return sys::PacketSocket::open("",
                                   {.promiscuous = false, .bypass_qdisc = true, .receive_buffer = 32 << 20});
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

  static void put(sys::PacketSocket& socket, int device, Mac destination, Mac source, Number number) {
    std::array<std::byte, kFrameBytes> frame{};
    std::memcpy(frame.data(), destination.octets().data(), 6);
    std::memcpy(frame.data() + 6, source.octets().data(), 6);
    std::memcpy(frame.data() + 12, kMark.data(), kMark.size());
    std::memcpy(frame.data() + kNumberAt, &number, sizeof number);
    socket.send(device, frame);
  }

  static std::optional<Number> number_in(sys::PacketSocket::Frame frame) {
    if (frame.size() != kFrameBytes || std::memcmp(frame.data() + 12, kMark.data(), kMark.size()) != 0)
      return std::nullopt;
    Number number = 0;
    std::memcpy(&number, frame.data() + kNumberAt, sizeof number);
    return number;
  }

  sys::Namespace switches_, stations_;
  sys::Links links_, far_links_;
  sys::PacketSocket switches_socket_, stations_socket_;
  std::uint64_t ports_ = 0;
  Number sentinels_ = 0;
  int sentinel_in_ = 0;
};

}  // namespace sekimori::differential

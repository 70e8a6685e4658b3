#include "sys/packet_ring.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/assert.h"

namespace sekimori::sys {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr unsigned kRetire = 50;  // ms after which the kernel hands over a block that is not full
constexpr unsigned kTag = 4;      // bytes of a VLAN tag; as much is kept free before each frame
// Cores stamp frames before they queue for the ring, so that neighbours in it may be in the wrong order by a
// moment. More than that is a clock that was set.
constexpr std::int64_t kDisorder = 10'000'000;  // ns

std::string text_of(int error) { return std::generic_category().message(error); }

template <class T>
bool set(int fd, int option, const T& value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

// Lets through `length` bytes of every frame: classic BPF's "ret #length".
bool filter(int fd, std::uint32_t length) {
  sock_filter code{BPF_RET | BPF_K, 0, 0, length};
  const sock_fprog program{1, &code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

tpacket_block_desc* block_at(std::byte* ring, std::size_t index) {
  return reinterpret_cast<tpacket_block_desc*>(ring + index * kBlock);  // NOLINT: shared with the kernel
}

std::atomic_ref<std::uint32_t> status_of(std::byte* ring, std::size_t index) {
  return std::atomic_ref(block_at(ring, index)->hdr.bh1.block_status);
}

base::Error no_permission(const std::string& name) {
  return {fmt::format(
      "{}: listening needs the capability CAP_NET_RAW, which this process lacks. Any of these grants it: run "
      "it "
      "as root (sudo); \"sudo setcap cap_net_raw=ep $(command -v sekimori)\" once; in a container, "
      "--cap-add NET_RAW.",
      name)};
}

}  // namespace

base::Result<wire::LinkType> link_type_of(const NetworkInterface& interface) {
  const auto useless = [&](std::string_view what) {
    return base::fail(fmt::format("{}: {}.", interface.name, what));
  };
  switch (interface.hardware) {
    case ARPHRD_ETHER:
      return wire::LinkType::ethernet;
    case ARPHRD_NONE:  // tun, WireGuard
    case ARPHRD_RAWIP:
      return wire::LinkType::raw_ip;
    case ARPHRD_LOOPBACK:
      return useless("is the loopback, which has no layer 2: nothing can be wrong with it there");
    case ARPHRD_IEEE80211:
    case ARPHRD_IEEE80211_PRISM:
    case ARPHRD_IEEE80211_RADIOTAP:
      return useless(
          "is a Wi-Fi card in monitor mode, whose frames are not decoded; in its usual mode it can "
          "be listened to");
    case ARPHRD_INFINIBAND:
      return useless("is IP over InfiniBand, which has no Ethernet frames");
    case ARPHRD_PPP:
      return useless("is a point-to-point link (PPP), which has no layer 2 that could be shared");
    default:
      return useless(
          fmt::format("is no Ethernet interface (its hardware type is {}; see ARPHRD_ in "
                      "linux/if_arp.h)",
                      interface.hardware));
  }
}

base::Result<PacketRing> PacketRing::open(const NetworkInterface& interface, const Options& options) {
  PacketRing ring;
  ring.interface_ = interface;
  const auto type = link_type_of(interface);
  if (!type) return std::unexpected(type.error());
  ring.link_type_ = *type;
  if (!interface.up) {
    return base::fail(fmt::format("{}: is down, so no frame can come: \"ip link set {} up\".", interface.name,
                                  interface.name));
  }
  // Protocol 0 hears nothing: frames of other interfaces can't slip in before bind().
  ring.fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (ring.fd_ < 0 && errno == EPERM) return std::unexpected(no_permission(interface.name));
  if (ring.fd_ < 0)
    return base::fail(fmt::format("{}: can't be listened to: {}.", interface.name, text_of(errno)));
  if (auto done = ring.set_up(options); !done) return std::unexpected(done.error());
  return ring;
}

base::Result<void> PacketRing::set_up(const Options& options) {
  SEKIMORI_ASSERT(options.bytes >= 2 * kBlock && options.snap_length > 0 && options.snap_length < kBlock / 2);
  const auto failed = [&](std::string_view what) {
    const int error = errno;
    return base::fail(fmt::format("{}: {}: {}.", interface_.name, what, text_of(error)));
  };
  if (!set(fd_, PACKET_VERSION, int{TPACKET_V3}) || !set(fd_, PACKET_RESERVE, kTag))
    return failed("the kernel has no packet rings (TPACKET_V3)");
  if (!filter(fd_, options.snap_length)) return failed("frames can't be cut to length");
  blocks_ = options.bytes / kBlock;
  tpacket_req3 request{};
  request.tp_block_size = kBlock;
  request.tp_block_nr = static_cast<unsigned>(blocks_);
  request.tp_frame_size = 4096;  // has no meaning in version 3, but must fit
  request.tp_frame_nr = static_cast<unsigned>(options.bytes / request.tp_frame_size);
  request.tp_retire_blk_tov = kRetire;
  if (!set(fd_, PACKET_RX_RING, request)) return failed("there is no memory for a ring of frames");
  void* memory = mmap(nullptr, blocks_ * kBlock, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (memory == MAP_FAILED) return failed("the ring of frames can't be mapped");
  ring_ = static_cast<std::byte*>(memory);

  if (options.promiscuous) {
    packet_mreq request_all{};
    request_all.mr_ifindex = static_cast<int>(interface_.index);
    request_all.mr_type = PACKET_MR_PROMISC;  // the kernel undoes it when the socket is closed
    if (!set(fd_, PACKET_ADD_MEMBERSHIP, request_all)) return failed("can't be made promiscuous");
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(interface_.index);
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)  // NOLINT: as sockets are
    return failed("can't be listened to");
  return {};
}

PacketRing::PacketRing(PacketRing&& other) noexcept
    : interface_(std::move(other.interface_)),
      link_type_(other.link_type_),
      fd_(std::exchange(other.fd_, -1)),
      ring_(std::exchange(other.ring_, nullptr)),
      blocks_(other.blocks_),
      block_(other.block_),
      packet_(other.packet_),
      left_(other.left_),
      holds_block_(other.holds_block_),
      stopped_(other.stopped_),
      number_(other.number_),
      last_time_(other.last_time_),
      counts_(other.counts_),
      problem_(std::move(other.problem_)) {}

PacketRing::~PacketRing() {
  if (ring_ != nullptr) munmap(ring_, blocks_ * kBlock);
  if (fd_ >= 0) close(fd_);
}

// ---------------------------------------------------------------- reading

void PacketRing::release() {
  status_of(ring_, block_).store(TP_STATUS_KERNEL, std::memory_order_release);
  block_ = (block_ + 1) % blocks_;
  holds_block_ = false;
}

bool PacketRing::await_block(std::chrono::milliseconds patience) {
  const auto is_ours = [&] {
    return (status_of(ring_, block_).load(std::memory_order_acquire) & TP_STATUS_USER) != 0;
  };
  // At the end only the block that the kernel is at may still come.
  constexpr auto kLast = std::chrono::milliseconds(2 * kRetire);
  const auto wait = [&](std::chrono::milliseconds most) {
    pollfd waited{fd_, POLLIN | POLLERR, 0};
    return poll(&waited, 1, static_cast<int>(most.count())) > 0 &&
           (waited.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
  };
  if (is_ours()) return true;
  if (wait(stopped_ || problem_ ? kLast : patience)) {
    fail();  // which takes the error off the socket, so that it can be waited for again
    if (!is_ours()) wait(kLast);
  }
  return is_ours();
}

std::span<const wire::Frame> PacketRing::next(std::chrono::milliseconds patience) {
  if (holds_block_ && left_ == 0) release();
  if (!holds_block_) {
    if (!await_block(patience)) return {};
    const auto& head = block_at(ring_, block_)->hdr.bh1;
    holds_block_ = true;
    left_ = head.num_pkts;
    packet_ = ring_ + block_ * kBlock + head.offset_to_first_pkt;
  }
  const std::size_t count = std::min<std::size_t>(left_, batch_.size());
  for (std::size_t i = 0; i < count; ++i) batch_[i] = take();
  return std::span(batch_).first(count);
}

wire::Frame PacketRing::take() {
  const auto& head = *reinterpret_cast<const tpacket3_hdr*>(packet_);  // NOLINT: shared with the kernel
  const auto& from = *reinterpret_cast<const sockaddr_ll*>(            // NOLINT
      packet_ + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
  auto* bytes = reinterpret_cast<std::uint8_t*>(packet_ + head.tp_mac);  // NOLINT
  std::uint32_t kept = head.tp_snaplen, length = head.tp_len;

  constexpr std::size_t kAddresses = 12;
  if ((head.tp_status & TP_STATUS_VLAN_VALID) != 0 && kept >= kAddresses) [[unlikely]] {
    bytes -= kTag;
    std::memmove(bytes, bytes + kTag, kAddresses);
    const bool told = (head.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    const std::uint16_t tag[2] = {htons(told ? head.hv1.tp_vlan_tpid : std::uint16_t{ETH_P_8021Q}),
                                  htons(static_cast<std::uint16_t>(head.hv1.tp_vlan_tci))};
    std::memcpy(bytes + kAddresses, tag, sizeof tag);
    kept += kTag;
    length += kTag;
  }
  wire::Frame frame;
  frame.number = ++number_;
  frame.timestamp_ns = std::int64_t{head.tp_sec} * 1'000'000'000 + head.tp_nsec;
  if (frame.timestamp_ns < last_time_ && last_time_ - frame.timestamp_ns < kDisorder)
    frame.timestamp_ns = last_time_;
  last_time_ = frame.timestamp_ns;
  frame.original_length = length;
  frame.link_type = link_type_;
  frame.direction =
      from.sll_pkttype == PACKET_OUTGOING ? wire::Direction::outbound : wire::Direction::inbound;
  frame.bytes = {bytes, kept};
  counts_.for_others += from.sll_pkttype == PACKET_OTHERHOST;
  --left_;
  packet_ += head.tp_next_offset;
  return frame;
}

void PacketRing::stop() {
  if (!stopped_) filter(fd_, 0);
  stopped_ = true;
}

// ---------------------------------------------------------------- what becomes of the interface

void PacketRing::fail() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  std::array<char, IF_NAMESIZE> name{};
  if (if_indextoname(interface_.index, name.data()) == nullptr) {
    problem_ = fmt::format("{} has vanished while it was listened to.", interface_.name);
  } else if (error == ENETDOWN) {
    problem_ = fmt::format("{} was taken down while it was listened to.", interface_.name);
  } else {
    problem_ = fmt::format("{} can't be listened to any more: {}.", interface_.name, text_of(error));
  }
}

bool PacketRing::link() const {
  ifreq request{};
  if (if_indextoname(interface_.index, request.ifr_name) == nullptr) return false;
  return ioctl(fd_, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

const PacketRing::Counts& PacketRing::counts() {
  tpacket_stats_v3 now{};
  socklen_t size = sizeof now;
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &now, &size) == 0) {
    counts_.received += now.tp_packets - now.tp_drops;  // tp_packets holds both; asking sets them to zero
    counts_.dropped += now.tp_drops;
    counts_.freezes += now.tp_freeze_q_cnt;
  }
  return counts_;
}

}  // namespace sekimori::sys

#include "sys/packet_socket.h"

#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace sekimori::sys {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kTagBytes = 4;
constexpr std::size_t kAddressBytes = 12;

// Newer than the C library's headers on some systems.
#ifndef PACKET_IGNORE_OUTGOING
constexpr int PACKET_IGNORE_OUTGOING = 23;
#endif

std::unexpected<base::Error> failed(const std::string& what, int fd) {
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return base::fail(fmt::format("{}: {}.", what, std::strerror(error)));
}

// The tag that the kernel took out of the frame; none when there was none.
const tpacket_auxdata* tag_of(const msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr;
       c = CMSG_NXTHDR(const_cast<msghdr*>(&message), c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
    const auto* aux = reinterpret_cast<const tpacket_auxdata*>(CMSG_DATA(c));
    return aux->tp_status & TP_STATUS_VLAN_VALID ? aux : nullptr;
  }
  return nullptr;
}

std::byte* put_tag_back(std::byte* frame, const tpacket_auxdata& aux) {
  std::byte* const start = frame - kTagBytes;
  std::memmove(start, frame, kAddressBytes);
  const std::uint16_t type =
      htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : std::uint16_t{ETH_P_8021Q});
  const std::uint16_t tag = htons(aux.tp_vlan_tci);
  std::memcpy(start + kAddressBytes, &type, sizeof type);
  std::memcpy(start + kAddressBytes + 2, &tag, sizeof tag);
  return start;
}

}  // namespace

struct PacketSocket::Buffers {
  std::array<std::array<std::byte, kTagBytes + kMostFrameBytes>, kBatch> in;
  std::array<std::array<std::byte, kMostFrameBytes>, kBatch> out;
  alignas(cmsghdr) std::array<std::array<std::byte, CMSG_SPACE(sizeof(tpacket_auxdata))>, kBatch> control;
  std::array<sockaddr_ll, kBatch> from;
  std::array<iovec, kBatch> in_parts, out_parts;
  std::array<mmsghdr, kBatch> in_messages, out_messages;
  std::size_t queued = 0;
};

PacketSocket::PacketSocket(int fd, int device, bool for_device_only)
    : fd_(fd), device_(device), for_device_only_(for_device_only), buffers_(std::make_unique<Buffers>()) {}
PacketSocket::PacketSocket(PacketSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      device_(other.device_),
      for_device_only_(other.for_device_only_),
      buffers_(std::move(other.buffers_)),
      lost_(other.lost_),
      overrun_(other.overrun_) {}
PacketSocket::~PacketSocket() {
  if (fd_ >= 0) ::close(fd_);
}

base::Result<PacketSocket> PacketSocket::open(const std::string& device, const Options& options) {
  // Protocol 0 hears nothing before bind() says of which device.
  const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failed("No packet socket", fd);
  const int on = 1;
  if (::setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0)
    return failed("The kernel can't hide a packet socket's own frames (PACKET_IGNORE_OUTGOING, Linux 4.20)",
                  fd);
  if (::setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) != 0)
    return failed("No auxiliary data of frames", fd);
  if (options.bypass_qdisc) ::setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &options.receive_buffer, sizeof options.receive_buffer) !=
      0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer, sizeof options.receive_buffer);

  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(options.protocol != 0 ? options.protocol : std::uint16_t{ETH_P_ALL});
  if (!device.empty()) {
    address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
    if (address.sll_ifindex == 0) return failed(fmt::format("There is no device {}", device), fd);
  }
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed(fmt::format("Can't listen at {}", device), fd);
  if (options.promiscuous && address.sll_ifindex != 0) {
    packet_mreq membership{};
    membership.mr_ifindex = address.sll_ifindex;
    membership.mr_type = PACKET_MR_PROMISC;
    if (::setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) != 0)
      return failed(fmt::format("Can't make {} promiscuous", device), fd);
  }
  return PacketSocket(fd, address.sll_ifindex, options.for_device_only);
}

std::size_t PacketSocket::receive(std::size_t most, const std::function<void(int, Frame)>& each) {
  Buffers& b = *buffers_;
  std::size_t total = 0;
  while (total < most) {
    const auto want = std::min(kBatch, most - total);
    for (std::size_t i = 0; i < want; ++i) {
      b.in_parts[i] = {b.in[i].data() + kTagBytes, kMostFrameBytes};
      b.in_messages[i] = {};
      msghdr& message = b.in_messages[i].msg_hdr;
      message.msg_name = &b.from[i];
      message.msg_namelen = sizeof b.from[i];
      message.msg_iov = &b.in_parts[i];
      message.msg_iovlen = 1;
      message.msg_control = b.control[i].data();
      message.msg_controllen = b.control[i].size();
    }
    const int got = ::recvmmsg(fd_, b.in_messages.data(), static_cast<unsigned>(want), MSG_DONTWAIT, nullptr);
    if (got <= 0) break;
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
      const mmsghdr& message = b.in_messages[i];
      std::byte* start = b.in[i].data() + kTagBytes;
      std::size_t size = message.msg_len;
      if (size < kAddressBytes + 2 || (message.msg_hdr.msg_flags & MSG_TRUNC)) continue;
      if (for_device_only_ && b.from[i].sll_pkttype == PACKET_OTHERHOST) continue;
      if (const auto* aux = tag_of(message.msg_hdr)) {
        start = put_tag_back(start, *aux);
        size += kTagBytes;
      }
      each(b.from[i].sll_ifindex, Frame(start, size));
    }
    total += static_cast<std::size_t>(got);
    if (static_cast<std::size_t>(got) < want) break;
  }
  return total;
}

void PacketSocket::queue(std::span<const std::byte> frame) {
  Buffers& b = *buffers_;
  if (frame.size() > kMostFrameBytes) return;
  std::memcpy(b.out[b.queued].data(), frame.data(), frame.size());
  b.out_parts[b.queued] = {b.out[b.queued].data(), frame.size()};
  if (++b.queued == kBatch) flush();
}

void PacketSocket::flush() {
  Buffers& b = *buffers_;
  for (std::size_t i = 0; i < b.queued; ++i) {
    b.out_messages[i] = {};
    b.out_messages[i].msg_hdr.msg_iov = &b.out_parts[i];
    b.out_messages[i].msg_hdr.msg_iovlen = 1;
  }
  // An error concerns the first frame that was not sent: it is lost, as on any full queue.
  for (std::size_t at = 0; at < b.queued;) {
    const int sent = ::sendmmsg(fd_, &b.out_messages[at], static_cast<unsigned>(b.queued - at), MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    lost_ += sent < 0;
    at += sent < 0 ? 1 : static_cast<std::size_t>(sent);
  }
  b.queued = 0;
}

bool PacketSocket::send(int device, std::span<const std::byte> frame) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = device;
  to.sll_halen = 6;
  std::memcpy(to.sll_addr, frame.data(), 6);
  const ssize_t sent = ::sendto(fd_, frame.data(), frame.size(), MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&to), sizeof to);
  return sent == static_cast<ssize_t>(frame.size());
}

std::int64_t PacketSocket::overrun() {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  if (::getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0) overrun_ += stats.tp_drops;
  return overrun_;
}

}  // namespace sekimori::sys

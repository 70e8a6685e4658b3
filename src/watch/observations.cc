#include "watch/observations.h"

#include <algorithm>
#include <bit>

namespace sekimori::watch {
namespace {

std::size_t digits_of(std::uint64_t count) {
  return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(count)), 32);
}

}  // namespace

IpAddress address_of(wire::Ipv4 ip) {
  IpAddress out;
  out.is_v4 = true;
  out.octets.octets[10] = out.octets.octets[11] = 0xff;
  for (std::size_t i = 0; i < 4; ++i) {
    out.octets.octets[12 + i] = static_cast<std::uint8_t>(ip.bits >> (24 - 8 * i));
  }
  return out;
}

wire::Ipv4 v4_of(const IpAddress& ip) { return {wire::read_be32(ip.octets.octets.data() + 12)}; }

void Rate::close(std::int64_t next, FrameRef frame) {
  if (now_ != 0) ++seconds_[digits_of(now_)];
  second_ = next;
  now_ = 0;
  begin_ = frame;
}

std::uint64_t Rate::usual() const {
  auto seconds = seconds_;
  if (now_ != 0) ++seconds[digits_of(now_)];  // the second under way
  std::uint64_t all = 0, below = 0;
  for (const std::uint32_t n : seconds) all += n;
  for (std::size_t digits = 0; digits < seconds.size(); ++digits) {
    below += seconds[digits];
    if (2 * below >= all && below > 0) return std::uint64_t{1} << digits;
  }
  return 0;
}

}  // namespace sekimori::watch

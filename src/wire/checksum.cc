#include "wire/ip.h"

namespace sekimori::wire {

std::uint32_t add_checksum(Bytes bytes, std::uint32_t sum) {
  // 64 KiB of 16-bit words overflow no 32 bits when the carry is folded in at the start.
  sum = (sum >> 16) + (sum & 0xffff);
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) sum += read_be16(&bytes[i]);
  if (i < bytes.size()) sum += std::uint32_t{bytes[i]} << 8;
  return sum;
}

std::uint16_t fold_checksum(std::uint32_t sum) {
  while (sum >> 16) sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace sekimori::wire

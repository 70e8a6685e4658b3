// The decoders on any bytes as a frame; the first byte chooses the link type.
#include <array>

#include "wire/listening.h"
#include "wire/test_touch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekimori::wire;
  constexpr std::array kLinkTypes = {LinkType::ethernet, LinkType::linux_cooked, LinkType::linux_cooked2,
                                     LinkType::raw_ip, LinkType::null};
  if (size == 0) return 0;
  volatile std::uint64_t sum =
      testing::touch(decode(kLinkTypes[data[0] % kLinkTypes.size()], Bytes(data, size).subspan(1)));
  static_cast<void>(sum);
  if (const auto heard = read_listening(Bytes(data, size).subspan(1)); heard && heard->records.size() > size)
    __builtin_trap();
  return 0;
}

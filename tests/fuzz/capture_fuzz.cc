// The capture reader, and the decoders behind it, on any bytes as a file.
#include "wire/test_touch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekimori::wire;
  testing::touch_capture(memory_source(Bytes(data, size)));
  return 0;
}

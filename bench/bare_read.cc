// bare_read FILE: the least that a capture costs. It reads large blocks, walks the records and looks at both
// MACs of each frame, in one thread; prints how many frames there are and a sum over the addresses. What
// compare_captures.py puts beside the diagnosis. Classic pcap in this machine's byte order only.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t kBlock = std::size_t{128} * 1024;
constexpr std::size_t kFileHeader = 24, kRecordHeader = 16, kLongestFrame = 65'535;

}  // namespace

int main(int argc, char** argv) {
  std::FILE* file = argc == 2 ? std::fopen(argv[1], "rb") : nullptr;
  if (file == nullptr || std::fseek(file, kFileHeader, SEEK_SET) != 0) {
    std::fputs("bare_read: give it a capture\n", stderr);
    return 2;
  }
  std::vector<unsigned char> buffer(kBlock + kRecordHeader + kLongestFrame);
  std::size_t held = 0;
  std::uint64_t frames = 0, sum = 0;
  while (const std::size_t got = std::fread(buffer.data() + held, 1, kBlock, file)) {
    held += got;
    std::size_t at = 0;
    while (at + kRecordHeader <= held) {
      std::uint32_t length = 0;
      std::memcpy(&length, &buffer[at + 8], sizeof length);
      if (length < 14 || length > kLongestFrame || at + kRecordHeader + length > held) break;
      std::uint64_t destination = 0, source = 0;
      std::memcpy(&destination, &buffer[at + kRecordHeader], 6);
      std::memcpy(&source, &buffer[at + kRecordHeader + 6], 6);
      sum += destination ^ source << 16;
      ++frames;
      at += kRecordHeader + length;
    }
    std::memmove(buffer.data(), buffer.data() + at, held - at);
    held -= at;
    if (held > kRecordHeader + kLongestFrame) {
      std::fputs("bare_read: a record that cannot be\n", stderr);
      return 2;
    }
  }
  std::fclose(file);
  std::printf("%llu frames, sum %llx\n", static_cast<unsigned long long>(frames),
              static_cast<unsigned long long>(sum));
  return held == 0 ? 0 : 2;
}

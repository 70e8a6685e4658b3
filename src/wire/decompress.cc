// gzip (RFC 1952, by zlib) and Zstandard (RFC 8878, by libzstd). Both formats may hold several members or
// frames one behind the other, which `cat a.gz b.gz` makes, and both are read to the last.
#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "wire/byte_source.h"

namespace sekimori::wire {
namespace {

constexpr std::size_t kInputBlock = std::size_t{32} * 1024;

// Compressed bytes, of which the first few were already read to see the magic number.
class Input {
 public:
  explicit Input(ByteSource source) : source_(std::move(source)), block_(kInputBlock) {}

  ByteSource& source() { return source_; }
  Bytes bytes() const { return Bytes(block_).subspan(begin_, end_ - begin_); }
  void drop(std::size_t count) { begin_ += count; }

  // Appends what the source gives; 0 at its end.
  base::Result<std::size_t> fill() {
    std::copy(block_.begin() + static_cast<std::ptrdiff_t>(begin_),
              block_.begin() + static_cast<std::ptrdiff_t>(end_), block_.begin());
    end_ -= begin_;
    begin_ = 0;
    auto count = source_(std::span(block_).subspan(end_));
    if (count) end_ += *count;
    return count;
  }

 private:
  ByteSource source_;
  Buffer block_;
  std::size_t begin_ = 0, end_ = 0;
};

// Beyond the first bytes, straight from the source: large captures shall not be copied twice.
ByteSource plain(Input input) {
  return [input = std::move(input)](std::span<std::uint8_t> into) mutable -> base::Result<std::size_t> {
    if (input.bytes().empty()) return input.source()(into);
    const std::size_t count = std::min(into.size(), input.bytes().size());
    std::copy_n(input.bytes().begin(), count, into.begin());
    input.drop(count);
    return count;
  };
}

// What a step of a decoder did. At a member's end the decoder must be made ready for the next.
struct Step {
  std::size_t taken = 0, given = 0;
  bool member_ended = false;
  const char* error = nullptr;
};

class Gzip {
 public:
  static constexpr const char* kName = "gzip";
  // 15 + 16: the largest window, and a gzip header is expected.
  Gzip() { valid_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  ~Gzip() { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  Step step(Bytes in, std::span<std::uint8_t> out) {
    if (!valid_) return {.error = "zlib has no memory"};
    stream_.next_in = const_cast<std::uint8_t*>(in.data());  // zlib declares what it only reads as mutable
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), 1u << 30));
    const std::size_t room = stream_.avail_out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    Step step{in.size() - stream_.avail_in, room - stream_.avail_out, code == Z_STREAM_END, nullptr};
    if (step.member_ended) inflateReset(&stream_);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      step.error = stream_.msg != nullptr ? stream_.msg : "unknown error";
    }
    return step;
  }

 private:
  z_stream stream_{};
  bool valid_ = false;
};

class Zstd {
 public:
  static constexpr const char* kName = "zstd";
  Zstd() : stream_(ZSTD_createDStream()) {}
  ~Zstd() { ZSTD_freeDStream(stream_); }
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;

  Step step(Bytes in, std::span<std::uint8_t> out) {
    if (stream_ == nullptr) return {.error = "libzstd has no memory"};
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const std::size_t left = ZSTD_decompressStream(stream_, &output, &input);
    Step step{input.pos, output.pos, left == 0, nullptr};
    if (ZSTD_isError(left)) step.error = ZSTD_getErrorName(left);
    return step;
  }

 private:
  ZSTD_DStream* stream_;
};

template <class Decoder>
ByteSource decoded(Input input, std::string name) {
  return [input = std::move(input), name = std::move(name), decoder = std::make_unique<Decoder>(),
          inside = true, error = static_cast<const char*>(nullptr)](
             std::span<std::uint8_t> into) mutable -> base::Result<std::size_t> {
    if (into.empty()) return 0;
    for (bool starved = false; error == nullptr;) {
      if (input.bytes().empty() || starved) {
        const auto count = input.fill();
        if (!count) return count;
        if (*count == 0 && !inside) return 0;
        if (*count == 0)
          return base::fail(fmt::format("{}: ends in the middle of its {} data.", name, Decoder::kName));
      }
      const Step step = decoder->step(input.bytes(), into);
      input.drop(step.taken);
      if (step.taken > 0 || step.given > 0) inside = !step.member_ended;
      error = step.error;
      if (step.given > 0) return step.given;  // what came out before an error still counts
      starved = step.taken == 0 && !step.member_ended;
    }
    return base::fail(fmt::format("{}: bad {} data: {}.", name, Decoder::kName, error));
  };
}

bool starts_with(Bytes bytes, std::initializer_list<std::uint8_t> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

}  // namespace

base::Result<ByteSource> decompressed(ByteSource raw, std::string name) {
  Input input(std::move(raw));
  while (input.bytes().size() < 4) {
    const auto count = input.fill();
    if (!count) return std::unexpected(count.error());
    if (*count == 0) break;
  }
  if (starts_with(input.bytes(), {0x1f, 0x8b})) return decoded<Gzip>(std::move(input), std::move(name));
  if (starts_with(input.bytes(), {0x28, 0xb5, 0x2f, 0xfd}))
    return decoded<Zstd>(std::move(input), std::move(name));
  return plain(std::move(input));
}

}  // namespace sekimori::wire

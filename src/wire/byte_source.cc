#include "wire/byte_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace sekimori::wire {

ByteSource memory_source(Bytes bytes) {
  return [rest = bytes](std::span<std::uint8_t> into) mutable -> base::Result<std::size_t> {
    const std::size_t count = std::min(into.size(), rest.size());
    std::copy_n(rest.begin(), count, into.begin());
    rest = rest.subspan(count);
    return count;
  };
}

ByteSource stream_source(std::FILE* stream, std::string name) {
  return [stream, name = std::move(name)](std::span<std::uint8_t> into) -> base::Result<std::size_t> {
    errno = 0;
    const std::size_t count = std::fread(into.data(), 1, into.size(), stream);
    if (count == 0 && std::ferror(stream) != 0) {
      return base::fail(fmt::format("{}: cannot read: {}.", name, std::strerror(errno)));
    }
    return count;
  };
}

base::Result<ByteSource> file_source(const std::string& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (!file) return base::fail(fmt::format("{}: cannot open: {}.", path, std::strerror(errno)));
  std::setvbuf(file.get(), nullptr, _IONBF,
               0);  // readers ask for large blocks; a second copy would only cost
  ByteSource read = stream_source(file.get(), path);
  return [file = std::move(file), read = std::move(read)](std::span<std::uint8_t> into) mutable {
    return read(into);
  };
}

}  // namespace sekimori::wire

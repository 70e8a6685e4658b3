#include "wire/byte_sink.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace sekimori::wire {

ByteSink string_sink(std::string& out) {
  return [&out](Bytes bytes) -> base::Result<void> {
    out.append(as_text(bytes));
    return {};
  };
}

ByteSink stream_sink(std::FILE* stream, std::string name) {
  return [stream, name = std::move(name)](Bytes bytes) -> base::Result<void> {
    // Flushed at once: the writers above buffer, and an error shall not wait for fclose.
    const bool written =
        std::fwrite(bytes.data(), 1, bytes.size(), stream) == bytes.size() && std::fflush(stream) == 0;
    if (!written) return base::fail(fmt::format("{}: cannot write: {}.", name, std::strerror(errno)));
    return {};
  };
}

}  // namespace sekimori::wire

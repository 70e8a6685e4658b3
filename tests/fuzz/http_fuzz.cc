// Requests as strangers may send them, in pieces of any size: they mean the same in one piece, and what is
// read keeps to the limits.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "macs/http.h"

using sekimori::macs::HttpLimits;
using sekimori::macs::HttpReader;
using sekimori::macs::HttpRequest;

namespace {

constexpr HttpLimits kLimits{.head = 512, .body = 256};

std::string summary(const std::string& bytes, std::size_t piece) {
  HttpReader reader(kLimits);
  std::string buffer, text;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    buffer += bytes.substr(at, piece);
    for (;;) {
      const auto outcome = reader.read(buffer);
      if (outcome == HttpReader::Outcome::kMore) break;
      if (outcome == HttpReader::Outcome::kError) return text + std::to_string(reader.error().status);
      const HttpRequest request = reader.take();
      if (request.body.size() > kLimits.body) std::abort();
      text += request.method + ' ' + request.path + '\n' + request.body + '\n';
      for (const auto& [name, value] : request.fields) text += name + '=' + value + '\n';
      for (const auto& [name, value] : request.query) text += name + '?' + value + '\n';
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  // A head that is too large is told as soon as that is certain, which may be before or after an error in it.
  const std::string whole = summary(bytes, bytes.size() + 1), pieces = summary(bytes, 1 + data[0] % 64);
  if (whole != pieces && !whole.ends_with("431") && !pieces.ends_with("431")) std::abort();
  return 0;
}

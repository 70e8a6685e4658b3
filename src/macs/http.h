// HTTP/1.1 as far as a small API needs it: requests read as they come in pieces, answers written.
//
// After RFC 9112, strictly: what two programs could read in two ways (a body whose length is told twice, a
// line folded, a bare line feed) is refused, since that is how requests are smuggled past a proxy. A body
// has a Content-Length; the chunked coding, which RFC 9112 lets a server refuse with 501, is not read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sekimori::macs {

struct HttpRequest {
  std::string method;
  std::string path;                           // percent-decoded, without the query
  std::map<std::string, std::string> query;   // decoded
  std::map<std::string, std::string> fields;  // by name in lower case
  std::string body;
  bool keeps_open = true;  // the client goes on with this connection

  // Empty: not there.
  const std::string& field(const std::string& name) const;
};

struct HttpAnswer {
  int status = 200;
  std::string body{};
  std::string type = "application/json";
  std::vector<std::pair<std::string, std::string>> fields{};
};

// "Not Found" for 404.
std::string_view reason_of(int status);
// The bytes of an answer. `keep_open`: further requests are read from this connection.
std::string to_bytes(const HttpAnswer& answer, bool keep_open);

struct HttpLimits {
  std::size_t head = 16 << 10, body = 1 << 20;  // bytes
};

// Why a request can't be read; the connection is closed after the answer, as nobody knows where the next
// request begins.
struct HttpError {
  int status;
  std::string what;  // a sentence
};

class HttpReader {
 public:
  explicit HttpReader(HttpLimits limits) : limits_(limits) {}

  enum class Outcome : std::uint8_t { kMore, kRequest, kError };
  // Takes what belongs to the next request off the front of `bytes`.
  Outcome read(std::string& bytes);
  // After the head of a request with "Expect: 100-continue", once: it waits for this before it sends the
  // body.
  bool wants_continue();
  bool has_begun(const std::string& bytes) const { return has_head_ || !bytes.empty(); }

  HttpRequest take();  // after kRequest
  const HttpError& error() const { return error_; }

 private:
  Outcome fail(int status, std::string what);
  bool read_head(std::string_view head);
  bool read_line(std::string_view line);
  bool read_field(std::string_view line);
  bool read_body_fields();

  HttpLimits limits_;
  HttpRequest request_;
  HttpError error_{};
  bool has_head_ = false, wants_continue_ = false, is_old_ = false;  // HTTP/1.0
  std::size_t body_ = 0;
  std::size_t looked_ = 0;  // so much of the bytes holds no end of a head
};

// Nothing: a % without two digits after it, or a byte 0.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

}  // namespace sekimori::macs

#include "macs/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace sekimori::macs {
namespace {

// RFC 9110 section 5.6.2
bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kOthers.contains(c);
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

bool is_listed(std::string_view list, std::string_view word) {
  for (const std::string_view part : base::split(list, ',')) {
    if (lower(base::trim(part)) == word) return true;
  }
  return false;
}

}  // namespace

const std::string& HttpRequest::field(const std::string& name) const {
  static const std::string kNone;
  const auto at = fields.find(name);
  return at == fields.end() ? kNone : at->second;
}

std::string_view reason_of(int status) {
  constexpr std::pair<int, std::string_view> kReasons[] = {
      {100, "Continue"},
      {200, "OK"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  };
  const auto* const at = std::ranges::find(kReasons, status, &std::pair<int, std::string_view>::first);
  return at == std::end(kReasons) ? "Unknown" : at->second;
}

std::string to_bytes(const HttpAnswer& answer, bool keep_open) {
  std::string bytes = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
                                  answer.status, reason_of(answer.status), answer.type, answer.body.size());
  for (const auto& [name, value] : answer.fields) bytes += fmt::format("{}: {}\r\n", name, value);
  // An answer is of one moment, and nothing in it is for a browser to guess at.
  bytes += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  if (!keep_open) bytes += "Connection: close\r\n";
  return bytes + "\r\n" + answer.body;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] == '%') {
      const int high = i + 2 < text.size() ? digit_of(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? digit_of(text[i + 2]) : -1;
      if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
      out += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

HttpReader::Outcome HttpReader::fail(int status, std::string what) {
  error_ = {status, std::move(what)};
  return Outcome::kError;
}

HttpReader::Outcome HttpReader::read(std::string& bytes) {
  if (error_.status != 0) return Outcome::kError;
  if (!has_head_) {
    constexpr std::string_view kEnd = "\r\n\r\n";
    const std::size_t end = bytes.find(kEnd, looked_);
    const bool too_large = end == std::string::npos ? bytes.size() > limits_.head : end > limits_.head;
    if (too_large) return fail(431, fmt::format("The head of a request has at most {} bytes.", limits_.head));
    if (end == std::string::npos) {
      looked_ = bytes.size() < kEnd.size() ? 0 : bytes.size() - kEnd.size() + 1;
      return Outcome::kMore;
    }
    if (!read_head(std::string_view(bytes).substr(0, end + 2))) return Outcome::kError;
    bytes.erase(0, end + kEnd.size());
    looked_ = 0;
    has_head_ = true;
  }
  if (bytes.size() < body_) return Outcome::kMore;
  request_.body = bytes.substr(0, body_);
  bytes.erase(0, body_);
  return Outcome::kRequest;
}

bool HttpReader::wants_continue() { return has_head_ && std::exchange(wants_continue_, false); }

HttpRequest HttpReader::take() {
  HttpRequest request = std::move(request_);
  *this = HttpReader(limits_);
  return request;
}

// `head` ends with the line end of its last line.
bool HttpReader::read_head(std::string_view head) {
  bool is_first = true;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (std::ranges::any_of(line, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; })) {
      fail(400, "The head of the request has control characters, or lines that end with a line feed alone.");
      return false;
    }
    if (!(is_first ? read_line(line) : read_field(line))) return false;
    is_first = false;
  }
  return read_body_fields();
}

bool HttpReader::read_line(std::string_view line) {
  const auto wrong = [&] {
    fail(400, "The first line of the request is not METHOD /PATH HTTP/1.1.");
    return false;
  };
  const auto words = base::split(line, ' ');
  if (words.size() != 3 || !is_token(words[0]) || !words[1].starts_with('/')) return wrong();
  is_old_ = words[2] == "HTTP/1.0";
  if (words[2] != "HTTP/1.1" && !is_old_) {
    if (!words[2].starts_with("HTTP/")) return wrong();
    fail(505, "This server speaks HTTP/1.1.");
    return false;
  }
  request_.method = words[0];
  const std::size_t mark = words[1].find('?');
  const auto path = percent_decoded(words[1].substr(0, mark), false);
  if (!path) return wrong();
  request_.path = *path;
  if (mark == std::string_view::npos) return true;
  for (const std::string_view part : base::split(words[1].substr(mark + 1), '&')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const auto name = percent_decoded(part.substr(0, equals), true);
    const auto value = percent_decoded(
        equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1), true);
    if (!name || !value) return wrong();
    if (!request_.query.emplace(*name, *value).second) {
      fail(400, fmt::format("The parameter {} is there twice.", *name));
      return false;
    }
  }
  return true;
}

bool HttpReader::read_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    fail(400, "A line of the head is not NAME: VALUE.");
    return false;
  }
  const std::string name = lower(line.substr(0, colon));
  const std::string value(base::trim(line.substr(colon + 1)));
  const auto [at, is_new] = request_.fields.emplace(name, value);
  if (is_new) return true;
  constexpr std::string_view kOnce[] = {"host",          "content-length",    "content-type",
                                        "authorization", "transfer-encoding", "idempotency-key"};
  if (std::ranges::find(kOnce, name) != std::end(kOnce)) {
    fail(400, fmt::format("{} is there twice.", name));
    return false;
  }
  at->second += ", " + value;
  return true;
}

bool HttpReader::read_body_fields() {
  const auto refuse = [&](int status, std::string what) {
    fail(status, std::move(what));
    return false;
  };
  if (!is_old_ && !request_.fields.contains("host")) return refuse(400, "Host is missing.");
  if (request_.fields.contains("transfer-encoding"))
    return refuse(501, "Transfer codings are not read; send a Content-Length.");
  const bool has_length = request_.fields.contains("content-length");
  if (has_length) {
    const std::string& digits = request_.field("content-length");
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), body_);
    if (digits.empty() || digits[0] < '0' || digits[0] > '9' || end != digits.data() + digits.size() ||
        error == std::errc::invalid_argument)
      return refuse(400, "Content-Length is no number.");
    if (error != std::errc() || body_ > limits_.body)
      return refuse(413, fmt::format("A body has at most {} bytes.", limits_.body));
  } else if (request_.method == "POST" || request_.method == "PUT") {
    return refuse(411, "Content-Length is missing.");
  }
  if (const std::string& expects = request_.field("expect"); !expects.empty()) {
    if (lower(expects) != "100-continue") return refuse(417, "Only 100-continue can be expected.");
    wants_continue_ = body_ > 0 && !is_old_;
  }
  const std::string& connection = request_.field("connection");
  request_.keeps_open = is_old_ ? is_listed(connection, "keep-alive") : !is_listed(connection, "close");
  return true;
}

}  // namespace sekimori::macs

// Requests to the kernel's routing netlink (RFC 3549; linux/rtnetlink.h): messages made of a fixed header and
// typed attributes, which nest. A socket speaks to the namespace in which it was opened, for as long as it is
// open. Only src/sys includes this; links.h says the same in words of networking.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sekimori::sys {

class NetlinkRequest {
 public:
  // `flags` beside NLM_F_REQUEST.
  NetlinkRequest(std::uint16_t type, std::uint16_t flags) {
    nlmsghdr head{};
    head.nlmsg_type = type;
    head.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    append(&head, sizeof head);
  }

  template <class Header>
  NetlinkRequest& header(const Header& header) {
    append(&header, sizeof header);
    return *this;
  }
  NetlinkRequest& put(std::uint16_t attribute, std::span<const std::byte> value);
  template <class Value>
    requires std::is_trivially_copyable_v<Value>
  NetlinkRequest& put(std::uint16_t attribute, const Value& value) {
    return put(attribute, std::as_bytes(std::span(&value, 1)));
  }
  // With the terminating zero, as the kernel's strings are.
  NetlinkRequest& put_text(std::uint16_t attribute, std::string_view text);

  // An attribute that holds attributes: those put between begin() and end(its result).
  std::size_t begin(std::uint16_t attribute);
  void end(std::size_t at);

  std::span<std::byte> finish(std::uint32_t sequence);

 private:
  void append(const void* data, std::size_t size);
  std::vector<std::byte> bytes_;
};

// The attributes of a message, or of an attribute that holds others.
class Attributes {
 public:
  explicit Attributes(std::span<const std::byte> bytes) : bytes_(bytes) {}
  // Empty when it is not there.
  std::span<const std::byte> find(std::uint16_t attribute) const;
  bool has(std::uint16_t attribute) const { return find(attribute).data() != nullptr; }
  template <class Value>
  std::optional<Value> get(std::uint16_t attribute) const {
    const auto bytes = find(attribute);
    if (bytes.size() < sizeof(Value)) return std::nullopt;
    Value value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  // Calls each(value) for all of that type.
  void for_each(std::uint16_t attribute, const std::function<void(std::span<const std::byte>)>& each) const;
  std::string_view text(std::uint16_t attribute) const;
  Attributes nested(std::uint16_t attribute) const { return Attributes(find(attribute)); }

 private:
  std::span<const std::byte> bytes_;
};

class NetlinkSocket {
 public:
  // In the namespace in which the calling thread is.
  static base::Result<NetlinkSocket> open();
  NetlinkSocket(NetlinkSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  NetlinkSocket& operator=(NetlinkSocket&&) = delete;
  ~NetlinkSocket();

  // Sends and waits for the kernel's answer: 0, or the error number with what the kernel said about it.
  struct Answer {
    int error = 0;
    std::string explanation;
  };
  Answer execute(NetlinkRequest& request);

  // Calls `each` for every message of a dump, with what follows the netlink header.
  using Each = std::function<void(std::uint16_t type, std::span<const std::byte> body)>;
  Answer dump(NetlinkRequest& request, const Each& each);

 private:
  explicit NetlinkSocket(int fd) : fd_(fd) {}
  Answer exchange(std::span<const std::byte> message, std::uint32_t sequence, const Each& each);
  int fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace sekimori::sys

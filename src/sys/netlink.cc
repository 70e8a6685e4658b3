#include "sys/netlink.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/assert.h"

namespace sekimori::sys {

void NetlinkRequest::append(const void* data, std::size_t size) {
  const auto* first = static_cast<const std::byte*>(data);
  bytes_.insert(bytes_.end(), first, first + size);
  bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});  // NLMSG_ALIGN, NLA_ALIGN
}

// The length of an attribute excludes the padding after it; what is in a nest is padded already.
NetlinkRequest& NetlinkRequest::put(std::uint16_t attribute, std::span<const std::byte> value) {
  nlattr head{};
  head.nla_type = attribute;
  head.nla_len = static_cast<std::uint16_t>(sizeof head + value.size());
  append(&head, sizeof head);
  append(value.data(), value.size());
  return *this;
}

NetlinkRequest& NetlinkRequest::put_text(std::uint16_t attribute, std::string_view text) {
  std::vector<std::byte> value(text.size() + 1);
  std::memcpy(value.data(), text.data(), text.size());
  return put(attribute, value);
}

std::size_t NetlinkRequest::begin(std::uint16_t attribute) {
  const std::size_t at = bytes_.size();
  nlattr head{};
  head.nla_type = attribute;
  append(&head, sizeof head);
  return at;
}

void NetlinkRequest::end(std::size_t at) {
  const auto length = static_cast<std::uint16_t>(bytes_.size() - at);
  std::memcpy(&bytes_[at], &length, sizeof length);
}

std::span<std::byte> NetlinkRequest::finish(std::uint32_t sequence) {
  nlmsghdr head;
  std::memcpy(&head, bytes_.data(), sizeof head);
  head.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
  head.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &head, sizeof head);
  return bytes_;
}

void Attributes::for_each(std::uint16_t attribute,
                          const std::function<void(std::span<const std::byte>)>& each) const {
  std::size_t at = 0;
  while (at + sizeof(nlattr) <= bytes_.size()) {
    nlattr head;
    std::memcpy(&head, &bytes_[at], sizeof head);
    if (head.nla_len < sizeof head || at + head.nla_len > bytes_.size()) break;
    if ((head.nla_type & NLA_TYPE_MASK) == attribute)
      each(bytes_.subspan(at + sizeof head, head.nla_len - sizeof head));
    at += (head.nla_len + std::size_t{3}) & ~std::size_t{3};
  }
}

std::span<const std::byte> Attributes::find(std::uint16_t attribute) const {
  std::span<const std::byte> first;
  for_each(attribute, [&](std::span<const std::byte> value) {
    if (first.data() == nullptr) first = value;
  });
  return first;
}

std::string_view Attributes::text(std::uint16_t attribute) const {
  const auto bytes = find(attribute);
  const std::string_view view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return view.substr(0, view.find('\0'));
}

base::Result<NetlinkSocket> NetlinkSocket::open() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return base::fail(fmt::format("No netlink socket: {}.", std::strerror(errno)));
  const int on = 1;
  ::setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  const int room = 1 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  return NetlinkSocket(fd);
}

NetlinkSocket::~NetlinkSocket() {
  if (fd_ >= 0) ::close(fd_);
}

NetlinkSocket::Answer NetlinkSocket::execute(NetlinkRequest& request) {
  const auto message = request.finish(++sequence_);
  auto* head = reinterpret_cast<nlmsghdr*>(message.data());
  head->nlmsg_flags |= NLM_F_ACK;
  return exchange(message, sequence_, nullptr);
}

NetlinkSocket::Answer NetlinkSocket::dump(NetlinkRequest& request, const Each& each) {
  const auto message = request.finish(++sequence_);
  auto* head = reinterpret_cast<nlmsghdr*>(message.data());
  head->nlmsg_flags |= NLM_F_DUMP;
  return exchange(message, sequence_, each);
}

namespace {

// The kernel's own words, where it has any (NLMSGERR_ATTR_MSG).
std::string explanation_of(std::span<const std::byte> body, const nlmsghdr& head) {
  if (!(head.nlmsg_flags & NLM_F_ACK_TLVS)) return {};
  nlmsgerr error;
  std::memcpy(&error, body.data(), sizeof error);
  std::size_t skip = sizeof error;
  if (!(head.nlmsg_flags & NLM_F_CAPPED)) skip += error.msg.nlmsg_len - sizeof error.msg;
  if (skip > body.size()) return {};
  return std::string(Attributes(body.subspan(skip)).text(NLMSGERR_ATTR_MSG));
}

}  // namespace

NetlinkSocket::Answer NetlinkSocket::exchange(std::span<const std::byte> message, std::uint32_t sequence,
                                              const Each& each) {
  if (::send(fd_, message.data(), message.size(), 0) < 0) return {errno, {}};
  alignas(nlmsghdr) std::array<std::byte, 65536> buffer;
  while (true) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {errno, {}};
    std::span<const std::byte> rest(buffer.data(), static_cast<std::size_t>(got));
    while (rest.size() >= sizeof(nlmsghdr)) {
      nlmsghdr head;
      std::memcpy(&head, rest.data(), sizeof head);
      if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.size()) return {EBADMSG, {}};
      const auto body = rest.subspan(sizeof head, head.nlmsg_len - sizeof head);
      rest = rest.subspan(std::min<std::size_t>(rest.size(), NLMSG_ALIGN(head.nlmsg_len)));
      if (head.nlmsg_seq != sequence) continue;  // the tail of a dump that was broken off
      if (head.nlmsg_type == NLMSG_DONE) return {};
      if (head.nlmsg_type == NLMSG_ERROR) {
        if (body.size() < sizeof(nlmsgerr)) return {EBADMSG, {}};
        int error = 0;
        std::memcpy(&error, body.data(), sizeof error);
        return {-error, explanation_of(body, head)};
      }
      if (each) each(head.nlmsg_type, body);
    }
  }
}

}  // namespace sekimori::sys

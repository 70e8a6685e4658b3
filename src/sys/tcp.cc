#include "sys/tcp.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace sekimori::sys {
namespace {

constexpr int kBacklog = 1024;  // as far as net.core.somaxconn allows

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

std::optional<SocketAddress> resolve(const TcpAddress& address) {
  SocketAddress result;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<std::uint16_t>(address.port));
  if (inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
    std::memcpy(&result.storage, &v4, sizeof v4);
    result.size = sizeof v4;
    return result;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(static_cast<std::uint16_t>(address.port));
  if (inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
  std::memcpy(&result.storage, &v6, sizeof v6);
  result.size = sizeof v6;
  return result;
}

std::uint32_t bits_of(Events::Wanted wanted) {
  return (wanted.to_read ? EPOLLIN : 0u) | (wanted.to_write ? EPOLLOUT : 0u);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

bool TcpAddress::is_loopback() const {
  in6_addr v6{};
  if (host.find(':') == std::string::npos) return host.starts_with("127.");
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

base::Result<TcpAddress> parse_tcp_address(std::string_view text) {
  const auto wrong = [&] {
    return base::fail(
        fmt::format("\"{}\" is not ADDRESS:PORT; write 127.0.0.1:8080, [::1]:8080 or localhost:8080.", text));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  TcpAddress address;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (error != std::errc() || end != digits.data() + digits.size() || address.port < 0 ||
      address.port > 65535)
    return wrong();
  std::string_view host = text.substr(0, colon);
  const bool in_brackets = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  address.host = host == "localhost" ? "127.0.0.1" : host;
  if (in_brackets != (host.find(':') != std::string_view::npos) || !resolve(address)) return wrong();
  return address;
}

std::string to_text(const TcpAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", address.host, address.port)
               : fmt::format("{}:{}", address.host, address.port);
}

base::Result<TcpSocket> TcpSocket::listen(TcpAddress& address) {
  auto bound = resolve(address);
  if (!bound) return base::fail(fmt::format("{} is no address.", address.host));
  TcpSocket socket(::socket(bound->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  // Without it a server can't come back for a minute after it ended.
  if (socket.fd() < 0 || setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(socket.fd(), bound->get(), bound->size) != 0 || ::listen(socket.fd(), kBacklog) != 0)
    return base::fail(fmt::format("{}: can't listen there: {}.", to_text(address), std::strerror(errno)));
  getsockname(socket.fd(), bound->get(), &bound->size);
  sockaddr_in v4{};
  std::memcpy(&v4, &bound->storage, sizeof v4);  // the port is in the same place in both
  address.port = ntohs(v4.sin_port);
  return socket;
}

std::optional<TcpSocket> TcpSocket::accept() {
  const int fd = accept4(descriptor_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // an answer is one write
  return TcpSocket(fd);
}

void TcpSocket::finish() { shutdown(fd(), SHUT_WR); }

TcpSocket::Is TcpSocket::read(std::string& into, std::size_t most) {
  std::array<char, 16384> block;
  while (most > 0) {
    const ssize_t n = recv(fd(), block.data(), std::min(most, block.size()), 0);
    if (n == 0) return Is::kClosed;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Is::kOpen : Is::kClosed;
    into.append(block.data(), static_cast<std::size_t>(n));
    most -= static_cast<std::size_t>(n);
    if (static_cast<std::size_t>(n) < block.size()) return Is::kOpen;
  }
  return Is::kOpen;
}

TcpSocket::Is TcpSocket::write(std::string_view& bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Is::kOpen : Is::kClosed;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return Is::kOpen;
}

base::Result<Bell> Bell::make() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return base::fail(fmt::format("eventfd: {}.", std::strerror(errno)));
  return Bell(fd);
}

void Bell::ring() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(fd(), &one, sizeof one);  // full: it rings already
}

void Bell::quiet() const {
  std::uint64_t times = 0;
  [[maybe_unused]] const ssize_t ignored = ::read(fd(), &times, sizeof times);
}

base::Result<Events> Events::make() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return base::fail(fmt::format("epoll_create1: {}.", std::strerror(errno)));
  return Events(fd);
}

base::Result<void> Events::add(int fd, std::uint64_t token, Wanted wanted) const {
  epoll_event event{};
  event.events = bits_of(wanted);
  event.data.u64 = token;
  if (epoll_ctl(descriptor_.fd(), EPOLL_CTL_ADD, fd, &event) != 0)
    return base::fail(fmt::format("epoll_ctl: {}.", std::strerror(errno)));
  return {};
}

void Events::change(int fd, std::uint64_t token, Wanted wanted) const {
  epoll_event event{};
  event.events = bits_of(wanted);
  event.data.u64 = token;
  epoll_ctl(descriptor_.fd(), EPOLL_CTL_MOD, fd, &event);
}

void Events::wait(std::chrono::milliseconds most,
                  const std::function<void(std::uint64_t token)>& each) const {
  std::array<epoll_event, 256> events;
  const int n = epoll_wait(descriptor_.fd(), events.data(), static_cast<int>(events.size()),
                           static_cast<int>(most.count()));
  for (int i = 0; i < n; ++i) each(events[static_cast<std::size_t>(i)].data.u64);
}

}  // namespace sekimori::sys

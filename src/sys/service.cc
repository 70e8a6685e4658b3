#include "sys/service.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX's
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>

namespace sekimori::sys {
namespace {

std::unexpected<base::Error> failed(const std::string& what) {
  return base::fail(fmt::format("{}: {}.", what, std::strerror(errno)));
}

struct Address {
  sockaddr_un name{};
  socklen_t size;
  explicit Address(const std::string& text) {
    name.sun_family = AF_UNIX;  // sun_path begins with a zero: abstract
    const std::size_t length = std::min(text.size(), sizeof name.sun_path - 1);
    std::memcpy(name.sun_path + 1, text.data(), length);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

int unix_socket() { return ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0); }

bool readable(int fd, std::chrono::milliseconds time) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(time.count())) > 0;
}

// Connected to the service, with its process id; fd -1: nobody is there.
struct Caller {
  int fd;
  pid_t process = 0;
  explicit Caller(const std::string& name) : fd(unix_socket()) {
    const Address address(name);
    if (fd >= 0 && ::connect(fd, address.get(), address.size) != 0) {
      ::close(fd);
      fd = -1;
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    if (fd >= 0 && ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) process = peer.pid;
  }
  Caller(const Caller&) = delete;
  ~Caller() {
    if (fd >= 0) ::close(fd);
  }
  bool ask(std::string_view word) const { return ::send(fd, word.data(), word.size(), MSG_NOSIGNAL) >= 0; }
};

}  // namespace

base::Result<ServiceSocket> ServiceSocket::listen(const std::string& name) {
  ServiceSocket made(unix_socket());
  if (made.fd_ < 0) return failed("No Unix socket");
  const Address address(name);
  if (::bind(made.fd_, address.get(), address.size) != 0)
    return failed(fmt::format("Can't take the name {}", name));
  if (::listen(made.fd_, 8) != 0) return failed(fmt::format("Can't listen as {}", name));
  ::fcntl(made.fd_, F_SETFL, O_NONBLOCK);
  return made;
}

ServiceSocket::~ServiceSocket() {
  if (fd_ >= 0) ::close(fd_);
}

bool ServiceSocket::serve(const std::function<std::string(std::string_view)>& answer) {
  const int caller = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (caller < 0) return true;
  std::array<char, 256> buffer;
  // Whoever calls speaks at once; a silent one is not waited for.
  const ssize_t got = readable(caller, std::chrono::milliseconds(200))
                          ? ::recv(caller, buffer.data(), buffer.size(), MSG_DONTWAIT)
                          : 0;
  const std::string_view word(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  if (word == "stop") return false;  // closed by the end of the process, which is what the caller waits for
  if (!word.empty()) {
    // A record of a sequenced socket is bounded by its buffer.
    const std::string text = answer(word);
    for (std::size_t at = 0; at < text.size(); at += 32768) {
      const auto piece = std::string_view(text).substr(at, 32768);
      ::send(caller, piece.data(), piece.size(), MSG_NOSIGNAL);
    }
  }
  ::close(caller);
  return true;
}

std::optional<std::string> ask_service(const std::string& name, std::string_view word) {
  const Caller caller(name);
  if (caller.fd < 0 || !caller.ask(word)) return std::nullopt;
  std::string text;
  std::array<char, 65536> piece;
  while (readable(caller.fd, std::chrono::seconds(5))) {
    const ssize_t got = ::recv(caller.fd, piece.data(), piece.size(), 0);
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

bool stop_service(const std::string& name, std::chrono::milliseconds patience) {
  const Caller caller(name);
  if (caller.fd < 0) return false;
  caller.ask("stop");
  // The end of the file is the end of the process, as nobody else holds the other end.
  const auto until = std::chrono::steady_clock::now() + patience;
  while (readable(caller.fd, patience)) {
    std::array<char, 256> ignored;
    if (::recv(caller.fd, ignored.data(), ignored.size(), 0) <= 0) return true;
    if (std::chrono::steady_clock::now() > until) break;
  }
  if (caller.process > 0) ::kill(caller.process, SIGKILL);
  return true;
}

std::optional<std::string> ask_after_greeting(const std::string& path, std::string_view line,
                                              std::chrono::milliseconds patience) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) return std::nullopt;
  std::memcpy(name.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  std::array<char, 4096> room;
  const auto hear = [&] { return readable(fd, patience) ? ::recv(fd, room.data(), room.size(), 0) : 0; };
  ssize_t got = 0;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 && hear() > 0 &&
      ::send(fd, line.data(), line.size(), MSG_NOSIGNAL) >= 0)
    got = hear();
  ::close(fd);
  if (got <= 0) return std::nullopt;
  return std::string(room.data(), static_cast<std::size_t>(got));
}

// ---------------------------------------------------------------- in the background

namespace {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

[[noreturn]] void live_as_service(int report, const std::function<void(const Ready&)>& body) {
  ::setsid();
  [[maybe_unused]] const int ignored = ::chdir("/");
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, standard);
  struct sigaction by_default{};
  by_default.sa_handler = SIG_DFL;
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &by_default, nullptr);
  body([&](const base::Result<void>& begun) {
    write_all(report, begun ? "+" : "-" + begun.error().what);
    ::close(report);
  });
  ::_exit(0);
}

}  // namespace

base::Result<void> start_in_background(const std::function<void(const Ready&)>& body) {
  std::array<int, 2> pipe;
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return failed("No pipe");
  // The child of a child: nobody has to wait for the process that stays.
  const pid_t child = ::fork();
  if (child < 0) return failed("Can't start a process");
  if (child == 0) {
    ::close(pipe[0]);
    if (::fork() != 0) ::_exit(0);
    live_as_service(pipe[1], body);
  }
  ::close(pipe[1]);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  std::string said;
  std::array<char, 1024> piece;
  while (true) {
    const ssize_t got = ::read(pipe[0], piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    said.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(pipe[0]);
  if (said == "+") return {};
  return base::fail(said.size() > 1 ? said.substr(1)
                                    : "The process in the background ended before it began.");
}

// ---------------------------------------------------------------- waiting

base::Result<Poller> Poller::make() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return failed("No epoll");
  return Poller(fd);
}

Poller::~Poller() {
  if (fd_ >= 0) ::close(fd_);
}

base::Result<void> Poller::add(int fd, std::uint32_t token) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = token;
  if (::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) != 0) return failed("Can't wait for a descriptor");
  return {};
}

bool Poller::wait(std::chrono::nanoseconds time, const std::function<void(std::uint32_t)>& each) {
  std::array<epoll_event, 64> events;
  timespec limit{static_cast<time_t>(time.count() / 1'000'000'000),
                 static_cast<long>(time.count() % 1'000'000'000)};
  const int count = ::epoll_pwait2(fd_, events.data(), static_cast<int>(events.size()),
                                   time.count() < 0 ? nullptr : &limit, nullptr);
  for (int i = 0; i < count; ++i) each(events[static_cast<std::size_t>(i)].data.u32);
  return count > 0;
}

}  // namespace sekimori::sys

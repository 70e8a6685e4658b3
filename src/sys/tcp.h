// TCP for a server that serves many from one thread: sockets that never block, what happens on them, and a
// bell that other threads ring. After tcp(7), epoll(7) and eventfd(2).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace sekimori::sys {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

struct TcpAddress {
  std::string host;  // a number: 127.0.0.1 or ::1
  int port = 0;      // 0: any that is free
  bool is_loopback() const;
};
// "127.0.0.1:8080", "[::1]:8080", "localhost:8080"
base::Result<TcpAddress> parse_tcp_address(std::string_view text);
std::string to_text(const TcpAddress& address);

class TcpSocket {
 public:
  // Its port is then known.
  static base::Result<TcpSocket> listen(TcpAddress& address);
  std::optional<TcpSocket> accept();  // none: nobody is waiting

  enum class Is : std::uint8_t { kOpen, kClosed };
  // Appends what has come. kClosed: nothing more comes, or the connection broke.
  Is read(std::string& into, std::size_t most);
  // Removes from the front what went out.
  Is write(std::string_view& bytes);
  void finish();  // nothing more will be written
  int fd() const { return descriptor_.fd(); }

 private:
  explicit TcpSocket(int fd) : descriptor_(fd) {}
  Descriptor descriptor_;
};

class Bell {
 public:
  static base::Result<Bell> make();
  void ring() const;   // from any thread
  void quiet() const;  // it does not ring any more
  int fd() const { return descriptor_.fd(); }

 private:
  explicit Bell(int fd) : descriptor_(fd) {}
  Descriptor descriptor_;
};

class Events {
 public:
  static base::Result<Events> make();
  struct Wanted {
    bool to_read = false, to_write = false;
    friend bool operator==(const Wanted&, const Wanted&) = default;
  };
  // A descriptor that is closed goes by itself.
  base::Result<void> add(int fd, std::uint64_t token, Wanted wanted) const;
  void change(int fd, std::uint64_t token, Wanted wanted) const;
  // Calls `each` for what is ready; a broken connection is ready for whatever it waits for.
  void wait(std::chrono::milliseconds most, const std::function<void(std::uint64_t token)>& each) const;

 private:
  explicit Events(int fd) : descriptor_(fd) {}
  Descriptor descriptor_;
};

}  // namespace sekimori::sys

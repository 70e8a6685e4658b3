// A server for a small API: one thread reads and writes all connections, answers come from any thread.
//
// What is bounded: connections (those beyond are told so and closed), the size of a head and of a body, the
// time from the first byte of a request to its last, the time an answer may take to be fetched, and the time
// a connection may say nothing. A client has one request under way; what it sends ahead waits in its socket.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "macs/http.h"
#include "sys/tcp.h"

namespace sekimori::macs {

struct ServerLimits {
  HttpLimits http{};
  std::size_t connections = 1000;
  std::chrono::milliseconds request{10'000};  // from its first byte to its last; and to fetch the answer
  std::chrono::milliseconds idle{60'000};
  std::chrono::milliseconds farewell{30'000};  // for what is under way when it is to stop
};

class HttpServer {
 public:
  // To be called once, from any thread, also after the server has gone.
  using Respond = std::function<void(HttpAnswer answer)>;
  // Called in the thread of run(); must not block.
  using Handle = std::function<void(HttpRequest request, Respond respond)>;

  static base::Result<HttpServer> listen(sys::TcpAddress address, const ServerLimits& limits);
  HttpServer(HttpServer&&) = default;
  HttpServer& operator=(HttpServer&&) = delete;
  ~HttpServer() = default;

  const sys::TcpAddress& address() const { return address_; }
  // Until `stop` is true, and then until all requests that have begun are answered.
  void run(const Handle& handle, const std::function<bool()>& stop);
  // May be read while it runs.
  std::size_t connections() const { return mailbox_->connections; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase : std::uint8_t { kReading, kAnswering, kWriting, kLeaving };
  struct Connection {
    Connection(sys::TcpSocket s, HttpReader r) : socket(std::move(s)), reader(std::move(r)) {}
    sys::TcpSocket socket;
    HttpReader reader;
    Phase phase = Phase::kReading;
    bool has_begun = false;  // the first byte of a request is there
    bool keeps_open = true;  // after this answer
    std::string in, out;
    std::size_t written = 0;  // of `out`
    sys::Events::Wanted wanted{.to_read = true, .to_write = false};
    Clock::time_point until;  // then it is closed
  };
  // Where other threads leave their answers.
  struct Mailbox {
    explicit Mailbox(sys::Bell b) : bell(std::move(b)) {}
    sys::Bell bell;
    std::mutex mutex;
    std::vector<std::pair<std::uint64_t, HttpAnswer>> answers;
    std::atomic<std::size_t> connections = 0;
  };

  HttpServer(const ServerLimits& limits, sys::TcpAddress address, sys::TcpSocket socket, sys::Events events,
             std::shared_ptr<Mailbox> mailbox)
      : limits_(limits),
        address_(std::move(address)),
        socket_(std::move(socket)),
        events_(std::move(events)),
        mailbox_(std::move(mailbox)) {}
  void accept_all();
  void drop_if(const std::function<bool(const Connection&)>& is_over);
  void on_event(std::uint64_t id);
  void deliver();
  void settle(std::uint64_t id, Connection& c, bool goes_on);
  void want(std::uint64_t id, Connection& c, sys::Events::Wanted wanted) const;
  // These return false when the connection is over.
  bool read(std::uint64_t id, Connection& c);
  bool answer(Connection& c, const HttpAnswer& given);
  bool write(Connection& c);

  ServerLimits limits_;
  sys::TcpAddress address_;
  std::optional<sys::TcpSocket> socket_;
  sys::Events events_;
  std::shared_ptr<Mailbox> mailbox_;
  std::unordered_map<std::uint64_t, Connection> connections_;
  const Handle* handle_ = nullptr;
  std::uint64_t next_ = 2;  // 0 is who listens, 1 the bell
  bool stops_ = false;
};

}  // namespace sekimori::macs

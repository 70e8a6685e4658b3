#include "macs/http_server.h"

#include <algorithm>

#include "macs/problem.h"

namespace sekimori::macs {
namespace {

constexpr std::uint64_t kListener = 0, kBell = 1;
constexpr std::chrono::milliseconds kTick{250};  // how late a deadline or the wish to stop may be seen
constexpr std::chrono::seconds kLeave{2};

}  // namespace

base::Result<HttpServer> HttpServer::listen(sys::TcpAddress address, const ServerLimits& limits) {
  auto socket = sys::TcpSocket::listen(address);
  if (!socket) return std::unexpected(socket.error());
  auto events = sys::Events::make();
  if (!events) return std::unexpected(events.error());
  auto bell = sys::Bell::make();
  if (!bell) return std::unexpected(bell.error());
  if (auto done = events->add(socket->fd(), kListener, {.to_read = true}); !done)
    return std::unexpected(done.error());
  if (auto done = events->add(bell->fd(), kBell, {.to_read = true}); !done)
    return std::unexpected(done.error());
  return HttpServer(limits, std::move(address), std::move(*socket), std::move(*events),
                    std::make_shared<Mailbox>(std::move(*bell)));
}

void HttpServer::run(const Handle& handle, const std::function<bool()>& stop) {
  handle_ = &handle;
  Clock::time_point end = Clock::time_point::max(), look = Clock::now() + kTick;
  while (Clock::now() < end) {
    events_.wait(kTick, [&](std::uint64_t id) {
      if (id == kListener)
        accept_all();
      else if (id == kBell)
        mailbox_->bell.quiet();
      else
        on_event(id);
    });
    deliver();
    if (Clock::now() >= look) {
      drop_if([now = Clock::now()](const Connection& c) { return now >= c.until; });
      look = Clock::now() + kTick;
    }
    if (!stops_ && stop()) {
      stops_ = true;
      end = Clock::now() + limits_.farewell;
      socket_.reset();
    }
    if (!stops_) continue;
    drop_if([](const Connection& c) { return c.phase == Phase::kReading && !c.reader.has_begun(c.in); });
    if (connections_.empty()) return;
  }
}

void HttpServer::accept_all() {
  constexpr int kAtOnce = 64;  // then the others have their turn
  for (int i = 0; i < kAtOnce && socket_; ++i) {
    auto accepted = socket_->accept();
    if (!accepted) break;
    if (connections_.size() >= limits_.connections) {
      const std::string bytes = to_bytes(
          problem(503, "busy", "There are as many connections as this server takes. Try again."), false);
      std::string_view left = bytes;
      accepted->write(left);  // a fresh socket takes that much
      continue;
    }
    const std::uint64_t id = next_++;
    const int fd = accepted->fd();
    auto [at, is_new] = connections_.try_emplace(id, std::move(*accepted), HttpReader(limits_.http));
    at->second.until = Clock::now() + limits_.idle;
    if (!events_.add(fd, id, at->second.wanted)) connections_.erase(at);
  }
  mailbox_->connections = connections_.size();
}

void HttpServer::drop_if(const std::function<bool(const Connection&)>& is_over) {
  std::erase_if(connections_, [&](const auto& entry) { return is_over(entry.second); });
  mailbox_->connections = connections_.size();
}

void HttpServer::on_event(std::uint64_t id) {
  const auto at = connections_.find(id);
  if (at == connections_.end()) return;
  Connection& c = at->second;
  bool goes_on = true;
  switch (c.phase) {
    case Phase::kReading: {
      const auto is = c.socket.read(c.in, limits_.http.head + limits_.http.body);
      goes_on = read(id, c) && (is == sys::TcpSocket::Is::kOpen || c.phase != Phase::kReading);
      break;
    }
    case Phase::kAnswering:  // something was sent ahead, or the end: seen when this request is answered
      want(id, c, {});
      return;
    case Phase::kWriting:
      goes_on = write(c) && read(id, c);
      break;
    case Phase::kLeaving:
      c.in.clear();
      goes_on = c.socket.read(c.in, limits_.http.head) == sys::TcpSocket::Is::kOpen;
      break;
  }
  settle(id, c, goes_on);
}

void HttpServer::deliver() {
  std::vector<std::pair<std::uint64_t, HttpAnswer>> answers;
  {
    const std::lock_guard lock(mailbox_->mutex);
    answers.swap(mailbox_->answers);
  }
  for (const auto& [id, given] : answers) {
    const auto at = connections_.find(id);
    if (at == connections_.end()) continue;
    Connection& c = at->second;
    settle(id, c, answer(c, given) && read(id, c));
  }
}

// Waits for what the connection needs next, or ends it.
void HttpServer::settle(std::uint64_t id, Connection& c, bool goes_on) {
  if (!goes_on) {
    connections_.erase(id);
    mailbox_->connections = connections_.size();
    return;
  }
  if (c.phase == Phase::kWriting)
    want(id, c, {.to_write = true});
  else if (c.phase != Phase::kAnswering)
    want(id, c, {.to_read = true});
}

void HttpServer::want(std::uint64_t id, Connection& c, sys::Events::Wanted wanted) const {
  if (wanted == c.wanted) return;
  c.wanted = wanted;
  events_.change(c.socket.fd(), id, wanted);
}

// What has come, as far as it is a request.
bool HttpServer::read(std::uint64_t id, Connection& c) {
  if (c.phase != Phase::kReading) return true;
  const bool had_begun = c.has_begun;
  switch (c.reader.read(c.in)) {
    case HttpReader::Outcome::kMore:
      c.has_begun = c.reader.has_begun(c.in);
      if (c.has_begun && !had_begun) c.until = Clock::now() + limits_.request;
      if (c.reader.wants_continue()) {
        std::string_view bytes = "HTTP/1.1 100 Continue\r\n\r\n";
        return c.socket.write(bytes) == sys::TcpSocket::Is::kOpen && bytes.empty();
      }
      return true;
    case HttpReader::Outcome::kError:
      c.keeps_open = false;
      return answer(c, problem(c.reader.error()));
    case HttpReader::Outcome::kRequest:
      break;
  }
  HttpRequest request = c.reader.take();
  c.keeps_open = request.keeps_open;
  c.has_begun = false;
  c.phase = Phase::kAnswering;
  c.until = Clock::time_point::max();
  (*handle_)(std::move(request), [mailbox = mailbox_, id](HttpAnswer given) {
    {
      const std::lock_guard lock(mailbox->mutex);
      mailbox->answers.emplace_back(id, std::move(given));
    }
    mailbox->bell.ring();
  });
  return true;
}

bool HttpServer::answer(Connection& c, const HttpAnswer& given) {
  c.keeps_open &= !stops_;
  c.out = to_bytes(given, c.keeps_open);
  c.written = 0;
  c.phase = Phase::kWriting;
  c.until = Clock::now() + limits_.request;
  return write(c);
}

bool HttpServer::write(Connection& c) {
  std::string_view left = std::string_view(c.out).substr(c.written);
  if (c.socket.write(left) == sys::TcpSocket::Is::kClosed) return false;
  c.written = c.out.size() - left.size();
  if (!left.empty()) return true;
  c.out = {};
  if (c.keeps_open) {
    c.phase = Phase::kReading;
    c.until = Clock::now() + limits_.idle;
    return true;
  }
  // What is closed with something unread is reset, and the answer with it: let the client close first.
  c.socket.finish();
  c.phase = Phase::kLeaving;
  c.until = Clock::now() + kLeave;
  return true;
}

}  // namespace sekimori::macs

// TCP as far as it shapes traffic: a sender that is clocked by ACKs, probes for bandwidth, and backs off on
// loss, and a receiver that acknowledges. Pure state machines: they are told what happened and say what to
// do; no clock, no I/O.
//
// Congestion control is NewReno (RFC 5681, RFC 6582) with appropriate byte counting of 2 in slow start (RFC
// 3465), timestamps for round-trip samples (RFC 7323), and the retransmission timer of RFC 6298 with Linux's
// bounds (least 200 ms). Sequence numbers count segments of equal size, so a 32-bit number lasts for
// terabytes. Arithmetic is in integers; two builds cannot differ.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/time.h"

namespace sekimori::simulate {

using base::Duration;
using base::Time;

class TcpSender {
 public:
  static constexpr std::uint32_t kLargestWindow =
      1024;  // segments; about 1.5 MB, an autotuned receive window

  std::uint32_t acknowledged() const { return una_; }
  std::uint32_t next() const { return next_; }
  std::uint32_t highest_sent() const { return highest_; }
  bool in_flight() const { return una_ < next_; }
  Duration timeout() const { return std::min(rto_ * (std::int64_t{1} << backoff_), kLongestTimeout); }

  // True when the windows let one more segment go, of the first `available` that the application wrote.
  bool may_send(std::uint32_t available) const {
    return next_ < available && next_ - una_ < std::min(cwnd_ / kOne, kLargestWindow);
  }
  // The number of the segment that goes out now.
  std::uint32_t take_next() {
    highest_ = std::max(highest_, next_ + 1);
    return next_++;
  }

  enum class Reaction : std::uint8_t { kNothing, kProgress, kRetransmit };
  // An ACK for everything below `ack` came back; `echo` is the age of the segment that caused it.
  // kRetransmit: send segment acknowledged() again now.
  Reaction on_ack(std::uint32_t ack, Duration echo) {
    if (ack > next_) next_ = ack;  // after a timeout went back: the receiver had more than we thought
    if (ack > una_) return on_new_ack(ack, echo);
    if (ack < una_ || !in_flight()) return Reaction::kNothing;
    ++duplicates_;
    if (recovering_) {
      cwnd_ += kOne;
      return Reaction::kNothing;
    }
    if (duplicates_ != 3) return Reaction::kNothing;
    halve();
    recovering_ = true;
    recover_ = next_;
    cwnd_ = ssthresh_ + 3 * kOne;
    return Reaction::kRetransmit;
  }

  // The timer expired: everything unacknowledged counts as lost. Send segment acknowledged() again
  // (take_next).
  void on_timeout() {
    if (backoff_ == 0) halve();
    cwnd_ = kOne;
    recovering_ = false;
    duplicates_ = 0;
    next_ = una_;
    backoff_ = std::min(backoff_ + 1, 10);
  }

 private:
  static constexpr std::uint32_t kOne = 1024;  // one segment of window, in fixed point
  static constexpr Duration kShortestTimeout = base::milliseconds(200);
  static constexpr Duration kLongestTimeout = base::seconds(120);

  void halve() { ssthresh_ = std::max((next_ - una_) * kOne / 2, 2 * kOne); }

  Reaction on_new_ack(std::uint32_t ack, Duration echo) {
    const std::uint32_t newly = ack - una_;
    una_ = ack;
    duplicates_ = 0;
    backoff_ = 0;
    sample(echo);
    if (recovering_) {
      if (ack >= recover_) {
        recovering_ = false;
        cwnd_ = ssthresh_;
        return Reaction::kProgress;
      }
      // A partial ACK: the next hole. Deflate by what was acknowledged (RFC 6582 section 3.2).
      cwnd_ = std::max(cwnd_ - std::min(cwnd_, newly * kOne) + kOne, kOne);
      return Reaction::kRetransmit;
    }
    if (cwnd_ < ssthresh_) {
      cwnd_ += std::min(newly, 2u) * kOne;
    } else {
      cwnd_ += std::max(newly * kOne / std::max(cwnd_ / kOne, 1u), 1u);
    }
    cwnd_ = std::min(cwnd_, kLargestWindow * kOne);
    return Reaction::kProgress;
  }

  void sample(Duration rtt) {
    if (srtt_.count() == 0) {
      srtt_ = rtt;
      rttvar_ = rtt / 2;
    } else {
      const Duration error = rtt > srtt_ ? rtt - srtt_ : srtt_ - rtt;
      rttvar_ += (error - rttvar_) / 4;
      srtt_ += (rtt - srtt_) / 8;
    }
    rto_ =
        std::clamp(srtt_ + std::max(rttvar_ * 4, base::milliseconds(1)), kShortestTimeout, kLongestTimeout);
  }

  std::uint32_t una_ = 0, next_ = 0, highest_ = 0, recover_ = 0;
  std::uint32_t cwnd_ = 10 * kOne;  // initial window: RFC 6928
  std::uint32_t ssthresh_ = kLargestWindow * kOne;
  std::uint32_t duplicates_ = 0;
  bool recovering_ = false;
  int backoff_ = 0;
  Duration srtt_{0}, rttvar_{0};
  Duration rto_ = base::seconds(1);
};

class TcpReceiver {
 public:
  std::uint32_t expected() const { return expected_; }

  struct Outcome {
    std::uint32_t advanced;  // segments newly delivered in order
    bool acknowledge_now;    // else the delayed ACK's timer decides (RFC 1122 4.2.3.2: every second segment)
  };
  Outcome on_segment(std::uint32_t number) {
    if (number != expected_) {
      if (number > expected_ && number - expected_ < kWindow) mark(number);
      unacknowledged_ = 0;
      return {0, true};
    }
    std::uint32_t advanced = 0;
    const bool filled_hole = waiting_ > 0;
    do {
      clear(expected_);
      ++expected_;
      ++advanced;
    } while (waiting_ > 0 && marked(expected_));
    unacknowledged_ += advanced;
    const bool now = unacknowledged_ >= 2 || filled_hole;
    if (now) unacknowledged_ = 0;
    return {advanced, now};
  }
  void acknowledged() { unacknowledged_ = 0; }

 private:
  static constexpr std::uint32_t kWindow = TcpSender::kLargestWindow;

  bool marked(std::uint32_t n) const { return held_[n / 64 % held_.size()] >> (n % 64) & 1; }
  void mark(std::uint32_t n) {
    if (marked(n)) return;
    held_[n / 64 % held_.size()] |= std::uint64_t{1} << (n % 64);
    ++waiting_;
  }
  void clear(std::uint32_t n) {
    if (!marked(n)) return;
    held_[n / 64 % held_.size()] &= ~(std::uint64_t{1} << (n % 64));
    --waiting_;
  }

  std::uint32_t expected_ = 0;
  std::uint32_t unacknowledged_ = 0;
  std::uint32_t waiting_ = 0;                       // segments held out of order
  std::array<std::uint64_t, kWindow / 64> held_{};  // which, as a ring of bits
};

}  // namespace sekimori::simulate

// Captures made by hand, for the tests of this folder: frames go straight into an observer.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "watch/detectors.h"
#include "watch/diagnose.h"
#include "watch/observer.h"
#include "wire/emit.h"

namespace sekimori::watch::testing {

using findings::Report;
using wire::Arp;
using wire::Direction;
using wire::Ipv4;

constexpr Mac kHost{0x0011'0a00'0001}, kPeer{0x0011'0a00'0002}, kOwner{0x0011'0a00'0003};
constexpr Mac kGuest{0x5254'0000'0009};
constexpr Ipv4 kHostIp{0x0a00'0001}, kPeerIp{0x0a00'0002}, kOwnerIp{0x0a00'0003}, kGuestIp{0x0a00'0009};

inline Mac mac(std::uint64_t i) { return Mac{0x0011'0a01'0000 + i}; }
inline Ipv4 ip(std::uint32_t i) { return {0x0a00'0100 + i}; }

class Tape {
 public:
  explicit Tape(std::vector<std::string> interfaces = {"eth0"}, Limits limits = {}) : observer_(limits) {
    std::vector<wire::CaptureInterface> known;
    for (std::string& name : interfaces) known.emplace_back().name = std::move(name);
    observer_.interfaces(known);
  }

  // Where and when the next frames are.
  Tape& at(double seconds) {
    now_ = static_cast<Nanos>(seconds * 1e9);
    return *this;
  }
  Tape& after(double seconds) {
    now_ += static_cast<Nanos>(seconds * 1e9);
    return *this;
  }
  Tape& on(std::uint32_t interface, Direction direction = Direction::unknown) {
    interface_ = interface;
    direction_ = direction;
    return *this;
  }

  Tape& arp(Mac source, Mac destination, const Arp& arp) {
    frame_.clear();
    wire::append_arp(frame_, {destination, source}, arp);
    return put();
  }
  Tape& ask(Mac source, Ipv4 from, Ipv4 whom) {
    return arp(source, wire::kBroadcast, {Arp::kRequest, source, from, Mac{}, whom});
  }
  Tape& answer(Mac source, Ipv4 from, Mac to, Ipv4 whom) {
    return arp(source, to, {Arp::kReply, source, from, to, whom});
  }
  Tape& announce(Mac source, Ipv4 from) {
    return arp(source, wire::kBroadcast, wire::gratuitous_arp(source, from));
  }

  Tape& udp(Mac source, Ipv4 from, Mac destination, Ipv4 to, std::uint16_t port = 5000,
            std::size_t bytes = 200) {
    frame_.clear();
    wire::append_udp(frame_, {destination, source, {}, bytes}, header(from, to, 64),
                     {.source_port = 40000, .destination_port = port});
    return put();
  }
  Tape& tcp(Mac source, Ipv4 from, Mac destination, Ipv4 to, std::uint32_t seq, std::uint32_t ack,
            std::uint8_t ttl = 64, std::uint8_t flags = wire::Tcp::kAck) {
    frame_.clear();
    wire::append_tcp(frame_, {destination, source, {}, 200}, header(from, to, ttl),
                     {.source_port = 40000, .destination_port = 80, .seq = seq, .ack = ack, .flags = flags});
    return put();
  }
  Tape& bpdu(Mac bridge, std::uint8_t flags) {
    frame_.clear();
    wire::append_bpdu(frame_, {wire::kStpGroup, bridge},
                      {.version = 2,
                       .type = wire::Bpdu::kRapid,
                       .flags = flags,
                       .root = {0x8000, bridge},
                       .bridge = {0x8000, bridge}});
    return put();
  }
  Tape& raw(wire::Buffer bytes) {
    frame_ = std::move(bytes);
    return put();
  }

  // A conversation of the port's owner with a peer, so that the place is known to be an access port.
  Tape& owner_talks(int frames = 10) {
    ask(kOwner, kOwnerIp, kPeerIp).answer(kPeer, kPeerIp, kOwner, kOwnerIp);
    for (int i = 0; i < frames; ++i) {
      tcp(kOwner, kOwnerIp, kPeer, kPeerIp, static_cast<std::uint32_t>(i), 0);
      tcp(kPeer, kPeerIp, kOwner, kOwnerIp, 0, static_cast<std::uint32_t>(i));
    }
    return *this;
  }

  Report report(std::optional<Place> place = std::nullopt) { return report_of(observer_.finish(), place); }
  Observations observations() { return observer_.finish(); }

 private:
  static wire::Ipv4Header header(Ipv4 from, Ipv4 to, std::uint8_t ttl) {
    return {.source = from, .destination = to, .ttl = ttl};
  }

  Tape& put() {
    wire::Frame frame;
    frame.number = ++number_;
    frame.timestamp_ns = now_;
    frame.interface = interface_;
    frame.original_length = static_cast<std::uint32_t>(frame_.size());
    frame.direction = direction_;
    frame.bytes = frame_;
    observer_.frame(frame);
    now_ += 1'000;
    return *this;
  }

  Observer observer_;
  wire::Buffer frame_;
  std::uint64_t number_ = 0;
  Nanos now_ = 0;
  std::uint32_t interface_ = 0;
  Direction direction_ = Direction::unknown;
};

// The words of what was found above a note.
inline std::vector<std::string> faults(const Report& report) {
  std::vector<std::string> words;
  for (const Finding& f : report.findings) {
    if (f.severity != Severity::kNote) words.emplace_back(findings::entry(f.code).word);
  }
  return words;
}

inline const Finding* finding(const Report& report, Code code) {
  const auto found = std::ranges::find(report.findings, code, &Finding::code);
  return found == report.findings.end() ? nullptr : &*found;
}

inline bool shows_frame(const Finding& f, std::uint64_t number) {
  return std::ranges::any_of(f.evidence, [=](const findings::Evidence& e) { return e.frame == number; });
}

}  // namespace sekimori::watch::testing

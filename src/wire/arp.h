// ARP for IPv4 over Ethernet (RFC 826) and its reverse, RARP (RFC 903).
//
// A gratuitous ARP asks for, or answers about, the sender's own address: hosts send it to announce
// themselves, and duplicate-address detection (RFC 5227) is made of probes (sender address 0.0.0.0) and such
// announcements.
#pragma once

#include <cstdint>

#include "wire/bytes.h"

namespace sekimori::wire {

struct Arp {
  static constexpr std::uint16_t kRequest = 1, kReply = 2, kReverseRequest = 3, kReverseReply = 4;

  std::uint16_t operation = kRequest;
  Mac sender_mac{};
  Ipv4 sender_ip{};
  Mac target_mac{};  // zero in requests, as a rule
  Ipv4 target_ip{};

  constexpr bool is_reverse() const { return operation == kReverseRequest || operation == kReverseReply; }
  constexpr bool is_probe() const { return operation == kRequest && sender_ip.is_zero(); }
  constexpr bool is_gratuitous() const {
    return !is_reverse() && sender_ip == target_ip && !sender_ip.is_zero();
  }
  friend constexpr bool operator==(const Arp&, const Arp&) = default;
};

// "10.0.0.9 is at 02:..." told to everybody, as a station does at start or failover.
constexpr Arp gratuitous_arp(Mac mac, Ipv4 ip) { return {Arp::kRequest, mac, ip, Mac{}, ip}; }
// "RARP notify": what hypervisors send after a migration so that switches learn where the guest went.
constexpr Arp notify_rarp(Mac mac) { return {Arp::kReverseRequest, mac, Ipv4{}, mac, Ipv4{}}; }

// `payload` starts behind the EtherType. ARP for other than IPv4 over Ethernet is unsupported.
Parsed<Arp> parse_arp(Bytes payload);

}  // namespace sekimori::wire

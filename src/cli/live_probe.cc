#include "cli/live_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "watch/case.h"
#include "wire/emit.h"

namespace sekimori::cli {

using watch::IpAddress;
using watch::Probe;

namespace {

constexpr std::uint16_t kEthernet = 1;  // ARPHRD_ETHER

wire::Ipv4 ipv4_of(const IpAddress& ip) { return {wire::read_be32(ip.octets.octets.data() + 12)}; }

// The address of ours that stations on the target's subnet know how to answer; zero if there is none, which
// in ARP is a probe (RFC 5227): it is answered, too, and teaches nobody anything.
wire::Ipv4 source_for(const sys::NetworkInterface& interface, wire::Ipv4 target) {
  for (const wire::Ipv4Prefix& own : interface.ipv4) {
    if (own.contains(target)) return own.address;
  }
  return {};
}

constexpr bool is_link_local(const wire::Ipv6& ip) {
  return ip.octets[0] == 0xfe && (ip.octets[1] & 0xc0) == 0x80;
}

// Answers to Neighbor Discovery need a sender; without an address we don't ask. In a VLAN only an address
// that is good on any link will do.
const wire::Ipv6* source_for(const sys::NetworkInterface& interface, const wire::Ipv6& target, bool in_vlan) {
  for (const sys::Ipv6Prefix& own : interface.ipv6) {
    if (in_vlan ? is_link_local(own.address) : own.contains(target)) return &own.address;
  }
  return in_vlan || interface.ipv6.empty() ? nullptr : &interface.ipv6.front().address;
}

// IEEE 802.1Q: the tag stands behind the addresses.
void tag(wire::Buffer& frame, std::uint16_t vlan) {
  constexpr std::ptrdiff_t kAddresses = 12;
  const std::array<std::uint8_t, 4> octets = {0x81, 0x00, static_cast<std::uint8_t>(vlan >> 8),
                                              static_cast<std::uint8_t>(vlan)};
  frame.insert(frame.begin() + kAddresses, octets.begin(), octets.end());
}

std::string in_vlan_text(std::uint16_t vlan) { return vlan == 0 ? "" : fmt::format(" in VLAN {}", vlan); }

bool is_on_link(const sys::NetworkInterface& interface, const IpAddress& ip) {
  if (ip.is_v4) return !source_for(interface, ipv4_of(ip)).is_zero();
  return std::ranges::any_of(interface.ipv6, [&](const sys::Ipv6Prefix& p) { return p.contains(ip.octets); });
}

}  // namespace

LiveProbe::LiveProbe(const sys::NetworkInterface& interface, sys::PacketSender sender)
    : interface_(interface),
      sender_(std::move(sender)),
      probe_(interface.mac, [interface](const IpAddress& ip) { return is_on_link(interface, ip); }) {}

Step<LiveProbe> LiveProbe::open(const sys::NetworkInterface& interface) {
  if (interface.hardware != kEthernet || interface.mac.is_zero())
    return stop(kBadInput, fmt::format("{}: --probe needs an Ethernet interface.", interface.name));
  auto sender = sys::PacketSender::open(interface);
  if (!sender) return stop(kBadInput, sender.error().what);
  return LiveProbe(interface, std::move(*sender));
}

std::string LiveProbe::promise() const {
  return fmt::format(
      "--probe: receivers of floods will be asked for by ARP or Neighbor Discovery, from {} out of {}: at "
      "most a "
      "question a second, {} for a station, {} stations.",
      wire::to_text(interface_.mac), interface_.name, Probe::kMostQuestions, Probe::kMostStations);
}

wire::Buffer LiveProbe::frame_of(const Probe::Question& question, std::string& as) const {
  wire::Buffer frame;
  if (question.ip.is_v4) {
    const wire::Ipv4 target = ipv4_of(question.ip);
    const wire::Ipv4 source = question.vlan == 0 ? source_for(interface_, target) : wire::Ipv4{};
    as = wire::to_text(source);
    wire::append_arp(frame, {wire::kBroadcast, interface_.mac},
                     {wire::Arp::kRequest, interface_.mac, source, {}, target});
  } else if (const wire::Ipv6* source = source_for(interface_, question.ip.octets, question.vlan != 0)) {
    as = wire::to_text(*source);
    wire::append_neighbor_solicitation(frame, interface_.mac, *source, question.ip.octets);
  }
  if (question.vlan != 0 && !frame.empty()) tag(frame, question.vlan);
  return frame;
}

ProbeNews LiveProbe::ask(const Probe::Question& question) {
  ProbeNews news{"asked", question.mac, question.ip, ""};
  std::string as;
  const wire::Buffer frame = frame_of(question, as);
  const std::string whom = watch::to_text(question.ip);
  if (frame.empty()) {
    news.step = "failed";
    news.what =
        fmt::format("{} can't be asked for{}: {} has no {}IPv6 address.", whom, in_vlan_text(question.vlan),
                    interface_.name, question.vlan == 0 ? "" : "link-local ");
  } else if (auto sent = sender_.send(frame); !sent) {
    news.step = "failed";
    news.what = sent.error().what;
  } else {
    news.what =
        fmt::format("Asked who has {}{} (flooded as {}), by {} from {}.", whom, in_vlan_text(question.vlan),
                    wire::to_text(question.mac), question.ip.is_v4 ? "ARP" : "Neighbor Discovery", as);
  }
  return news;
}

std::vector<ProbeNews> LiveProbe::step(watch::Nanos now) {
  std::vector<ProbeNews> news;
  if (const auto question = probe_.due(now)) news.push_back(ask(*question));
  for (Probe::Station& s : probe_.stations()) {
    const auto verdict = probe_.judge(s, now);
    const bool back = static_cast<bool>(s.back);
    if (verdict == watch::ProbeVerdict::kOpen || (verdict == s.told && back == s.told_back)) continue;
    s.told = verdict;
    s.told_back = back;
    news.push_back(
        {std::string(watch::to_text(verdict)), s.target.mac, *s.ip, watch::in_words(s, verdict, now)});
  }
  return news;
}

void LiveProbe::tell(const watch::Observations& o, watch::Nanos now, findings::Report& report) const {
  report.remarks.push_back(promise());
  probe_.tell(o, now, report);
}

}  // namespace sekimori::cli

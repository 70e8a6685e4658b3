// DHCP: servers that answer the same client (RFC 2131 allows it; a second one that nobody knows of tells a
// router of its own), and clients that nobody has.
#include <fmt/format.h>

#include <algorithm>

#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::size_t kManyClients = 100, kManyForged = 20;  // within kStarvationTime
constexpr Nanos kStarvationTime = 10 * kSecond;

std::string router_text(const DhcpServer& s) {
  return s.router ? "router " + wire::to_text(*s.router) : std::string("no router");
}

std::string server_text(const DhcpServer& s) {
  return fmt::format("{} ({}), {}", wire::to_text(s.id), wire::to_text(s.mac), router_text(s));
}

// Two that tell the same router are a pair that somebody set up.
void races(const Case& c, Results& r) {
  for (const DhcpRace& race : c.o.dhcp.races) {
    const DhcpServer& a = c.o.dhcp.servers[race.a];
    const DhcpServer& b = c.o.dhcp.servers[race.b];
    const bool agree = a.router == b.router;
    Finding finding = make(Code::kDhcpRogue, Certainty::kObserved, c.where(a.scope), "", "");
    finding.headline =
        fmt::format("two DHCP servers answer the same clients: {} and {}", server_text(a), server_text(b));
    finding.cause = fmt::format(
        "Both answered {}. ",
        race.transactions == 1 ? "one request" : fmt::format("each of {} requests", race.transactions));
    if (agree) {
      finding.severity = Severity::kNote;
      finding.cause += "They tell the same router, as a redundant pair does.";
    } else {
      finding.cause +=
          "They tell different routers, so a client's way out depends on who answers first. One of them is "
          "not meant to be here: a home router plugged in "
          "the wrong way, a guest with a DHCP service, or an attack.";
    }
    c.show(finding, race.first_a, "the first answer to a request");
    c.show(finding, race.first_b, "the other answer to the same request");
    c.show(finding, b.first, fmt::format("{} is heard for the first time", wire::to_text(b.id)));
    finding.onset = c.time(race.first_b);
    r.findings.push_back(std::move(finding));
  }
}

// The most new clients within the time, from the given discover on.
struct Burst {
  std::size_t first = 0, count = 0, forged = 0;
};

Burst burst_of(const std::vector<DhcpDiscover>& discovers) {
  Burst most;
  std::size_t begin = 0, forged = 0;
  for (std::size_t i = 0; i < discovers.size(); ++i) {
    forged += discovers[i].client != discovers[i].source;
    while (since(discovers[i].frame.at, discovers[begin].frame.at) > kStarvationTime) {
      forged -= discovers[begin].client != discovers[begin].source;
      ++begin;
    }
    if (i + 1 - begin > most.count) most = {begin, i + 1 - begin, forged};
  }
  return most;
}

// New clients by the hundred may be a power cut's end. Then each sends from its own address, as no tool does
// that makes them up quickly.
void starvation(const Case& c, Results& r) {
  std::map<std::uint32_t, std::vector<DhcpDiscover>> by_scope;
  for (const DhcpDiscover& d : c.o.dhcp.discovers) by_scope[d.scope].push_back(d);
  for (const auto& [scope, discovers] : by_scope) {
    const Burst burst = burst_of(discovers);
    const bool forged = burst.forged >= kManyForged;
    if (!forged && burst.count < kManyClients) continue;
    Finding finding = make(Code::kDhcpStarvation, forged ? Certainty::kObserved : Certainty::kUndecided,
                           c.where(scope), "", "");
    finding.headline =
        fmt::format("{} new DHCP clients within {}", burst.count, seconds_text(kStarvationTime));
    const DhcpDiscover& first = discovers[burst.first];
    if (forged) {
      finding.cause = fmt::format(
          "{} of them are asked for in frames from another address, such as {}: they are made up, to take "
          "all addresses of the server.",
          burst.forged, wire::to_text(first.source));
    } else {
      finding.severity = Severity::kWarning;
      finding.cause = "Each asks in a frame of its own address.";
      finding.candidates = {"many machines started at once, as after a power cut",
                            "a tool makes up clients, and sends from their addresses"};
      finding.to_decide = "See whether they take the addresses that they are offered, and use them.";
    }
    finding.onset = c.time(first.frame);
    c.show(finding, first.frame,
           fmt::format("the first: client {}, sent by {}", wire::to_text(first.client),
                       wire::to_text(first.source)));
    const DhcpDiscover& last = discovers[burst.first + burst.count - 1];
    c.show(finding, last.frame,
           fmt::format("the last: client {}, sent by {}", wire::to_text(last.client),
                       wire::to_text(last.source)));
    r.findings.push_back(std::move(finding));
  }
}

}  // namespace

void detect_dhcp(const Case& c, Results& r) {
  races(c, r);
  starvation(c, r);
}

}  // namespace sekimori::watch

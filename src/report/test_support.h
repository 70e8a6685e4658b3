// Reports made by hand, for the tests of the reporters.
#pragma once

#include <fmt/format.h>

#include <string>

#include "findings/finding.h"

namespace sekimori::report::test {

using namespace findings;

inline Report clean() {
  Report r;
  r.title = "Two desks on one switch";
  r.source = "examples/desks/site.yaml";
  r.simulated = base::seconds(900);
  r.fingerprint = 0x0123456789abcdef;
  r.links = {{"desk:eth0", "sw1:1", {}, true, 1000, 5.2, 0, 0},
             {"sw1:2", "branch:eth0", {}, true, 1000, 5.2, 0, 0}};
  return r;
}

// The figure that started the project: a hosted bridge leaks, the switch floods into a 10 Mbit/s WAN access.
inline Report figure() {
  Report r;
  r.title = "Hosted server beside a wide-area Ethernet";
  r.source = "examples/figure/site.yaml";
  r.simulated = base::seconds(1800);
  r.fingerprint = 0x9c4b1f0e2a7733d1;
  r.links = {
      {"sw1:2", "desk:eth0", {}, true, 1000, 0.1, 20.9, 0},
      {"server/vmnet0:eth0", "sw1:1", {}, true, 1000, 0, 20.9, 0},
      {"ether:osaka", "sw2:24", {}, true, 10, 0.5, 9.4, 16.2},
      {"sw1:24", "ether:tokyo", {}, true, 100, 5.2, 20.9, 0},
      {"desk:eth0", "sw1:2", {}, true, 1000, 5.2, 0, 0},
      {"sw2:1", "branch:eth0", {}, true, 1000, 0.5, 9.4, 0},
      {"sw2:24", "ether:osaka", {}, false, 10, 0.03, 0, 0},
      {"server:eth0", "server/vmnet0(server:eth0)", {}, true, 10'000, 20.9, 0, 0},
      {"server/vmnet0(app:net0)", "app:net0", {}, true, 10'000, 20.9, 0, 0},
  };
  const FlowImpact victim{"tcp desk -> branch", {}, {5, 5, 0, 8.4}, {5, 1.2, 23.4, 112.5}};
  r.flows = {victim, {"tcp server -> app", {}, {20, 20, 0, 0.03}, {20, 20, 0, 0.03}}};

  Finding leak;
  leak.code = Code::kFloodLeak;
  leak.where = "server/vmnet0";
  leak.headline =
      "server sends what it has for its own guest app also out of eth0, and sw1 floods 20.9 Mbit/s of it to "
      "3 ports";
  leak.cause =
      "server/vmnet0 is a hosted bridge: it gives frames of server for app to the guest and also sends them "
      "out of "
      "eth0. The answers of app never leave the machine, so sw1 does not see app:net0 (02:00:00:00:00:09) as "
      "a source, "
      "forgets it after its ageing time of 300 s and floods from then on.";
  leak.evidence = {
      {base::milliseconds(12), "sw1:1",
       "last frame from app:net0 (02:00:00:00:00:09): its ARP request, broadcast"},
      {base::milliseconds(300'012), "sw1", "entry for 02:00:00:00:00:09 in VLAN 1 aged out"},
      {base::milliseconds(300'013), "sw1:1",
       "frame server:eth0 > app:net0, 1514 bytes, unknown destination: flooded to sw1:2, sw1:3 and sw1:24"},
  };
  leak.onset = base::milliseconds(300'013);
  leak.links = {r.links[2], r.links[3], r.links[0], r.links[5], r.links[1]};
  leak.flows = {victim};
  leak.remedies = {
      {"gratuitous-arp",
       "app announces itself every 100 s (gratuitous ARP), below the ageing time of sw1",
       true,
       20.9,
       0,
       23.4,
       0,
       {"the leak still loads server/vmnet0:eth0 with 20.9 Mbit/s"}},
      {"guard",
       "drop frames for the guests of server/vmnet0 on their way out of its uplink eth0",
       true,
       20.9,
       0,
       23.4,
       0,
       {}},
      {"router",
       "put a router between sw1 and ether:tokyo: the segment ends there",
       false,
       20.9,
       20.9,
       23.4,
       0,
       {"sw1 still floods its own ports", "desk and branch need new addresses"}},
      {"unknown-unicast-block",
       "block unknown unicast on sw1:24",
       false,
       20.9,
       20.9,
       23.4,
       0,
       {"a station behind sw1:24 that is silent for 300 s can no longer be reached"}},
  };
  leak.line = 7;

  Finding wan;
  wan.code = Code::kSegmentOverWan;
  wan.severity = Severity::kWarning;
  wan.certainty = Certainty::kProved;
  wan.where = "ether";
  wan.headline = "the segment of server, desk and branch spans the wide-area Ethernet ether without a router";
  wan.cause =
      "Whatever sw1 or sw2 floods or broadcasts crosses the WAN, whose access osaka has no more than 10 "
      "Mbit/s.";
  r.findings = {leak, wan};
  r.remarks = {"TCP is modelled with Reno congestion control."};
  return r;
}

// The same, held against a baseline that knows the WAN, and something that is gone.
inline Report figure_with_baseline() {
  Report r = figure();
  r.findings[0].fingerprint = 0x1111111111111111;
  r.findings[1].fingerprint = 0x2222222222222222;
  r.findings[1].accepted = "the WAN stays as it is, NET-12";
  r.baseline = BaselineUse{"known.baseline", {{4, "loop", "sw1, sw2 and sw3"}}};
  return r;
}

inline Report undecided() {
  Report r;
  r.source = "office.pcapng";
  Finding f;
  f.code = Code::kFloodUndecided;
  f.certainty = Certainty::kUndecided;
  f.where = "sw1";
  f.headline = "sw1 floods 3.1 Mbit/s for 02:00:00:00:00:42";
  f.cause = "No frame from 02:00:00:00:00:42 was seen in 600 s, while 3.1 Mbit/s were sent to it.";
  f.candidates = {"the receiver is silent: it takes datagrams and never answers (flood-silent)",
                  "its answers take another way that does not pass sw1 (asymmetric routing)"};
  f.to_decide =
      "Capture at the receiver's own port for one minute: if frames leave it, they take another way.";
  r.findings = {f};
  return r;
}

inline Report many(std::size_t count) {
  Report r;
  r.source = "campus.yaml";
  for (std::size_t i = 0; i < count; ++i) {
    Finding f;
    f.code = i % 4 == 3 ? Code::kFloodTimers : Code::kFloodSilent;
    f.where = fmt::format("sw{}", i);
    f.headline = fmt::format("sw{} floods {} Mbit/s for syslog{}", i, count - i, i);
    f.cause = fmt::format("syslog{} never sends.", i);
    r.findings.push_back(f);
    r.links.push_back(
        {fmt::format("sw{}:1", i), fmt::format("core:{}", i), {}, true, 10'000, 1.0 * double(i), 0.5, 0});
  }
  return r;
}

inline Report hostile() {
  const std::string clear = "\x1b[2J\x1b[1;1H", forged = "sw1\nCLEAN: nothing found",
                    bell =
                        "a\x07\x9b\xc2\x9b"
                        "31m";
  const std::string reversed =
                        "\xe2\x80\xae"
                        "1ws",
                    huge(10'000, 'N');
  Report r;
  r.title = clear + forged;
  r.source = huge;
  r.remarks = {bell, huge};
  r.links = {{clear, huge, {}, true, 1e15, 1e12, 1e-9, 0}, {huge, reversed, {}, true, 0, -1, 0, 0}};
  Finding f;
  f.where = huge;
  f.headline = clear + huge + forged;
  f.cause = reversed + " " + huge;
  f.certainty = Certainty::kUndecided;
  f.candidates = {huge, clear};
  f.to_decide = bell;
  f.evidence = {{base::kNever, huge, huge}, {std::nullopt, clear, forged}};
  f.links = r.links;
  f.flows = {{huge, {}, {1, 1, 0, 1}, {1, 0, 100, 1e9}}};
  f.fingerprint = 1;
  f.remedies = {{clear, huge, true, 1e15, 0, 100, 0, {forged, huge}}, {huge, bell, false, 1, 1, 1, 1, {}}};
  r.findings = {f, f};
  r.findings[1].accepted = clear + forged + huge;
  r.baseline = BaselineUse{clear + huge, {{1, "loop", forged}, {2, "loop", bell}}};
  r.flows = f.flows;
  return r;
}

}  // namespace sekimori::report::test

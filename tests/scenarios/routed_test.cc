// Virtual networks that end at their host: `routed` and `nat`. Who reaches whom, with which addresses, and
// that a host that routes in place of bridging ends the leak.
#include <algorithm>
#include <set>

#include "importers/site.h"
#include "load/load.h"
#include "load/proof.h"
#include "model/segments.h"
#include "remedy/remedy.h"
#include "wire/decode.h"

#include "structural.h"

namespace sekimori::scenarios {
namespace {

constexpr std::string_view kBehind = R"(
hosts:
  kvm:
    nics: {eth0: 10.0.0.1/24}
    switches: {virbr0: {kind: nat, ip: 192.168.122.1/24}}
    guests:
      app: {nics: {net0: {on: virbr0, ip: 192.168.122.9/24}}, gateway: 192.168.122.1}
      db: {nics: {net0: {on: virbr0, ip: 192.168.122.10/24}}, gateway: 192.168.122.1}
  desk: {nics: {eth0: 10.0.0.2/24}}
switches: {sw1: {}}
links: [[kvm:eth0, sw1:1], [desk:eth0, sw1:2]]
traffic:
  - {from: app, to: desk, kind: ping, every: 100ms}
  - {from: db, to: desk, kind: tcp, rate: 1Mbit/s}
  - {from: app, to: desk, kind: request, every: 100ms}
  - {from: kvm, to: app, kind: ping, every: 100ms}
  - {from: app, to: kvm:eth0, kind: ping, every: 100ms}
  - {from: app, to: db, kind: udp, every: 100ms}
)";

std::string refusal(std::string_view yaml) {
  const auto model = importers::parse_site(std::string("sekimori: 1\n") + std::string(yaml), "test");
  return model ? "" : model.error().text();
}

TEST(Nat, AnswersComeBackAndNobodyOutsideSeesAGuest) {
  const model::Model m = site(kBehind);
  const auto behind = model::segments(m);
  EXPECT_EQ(behind.list.size(), 2u) << "the host ends the segment";
  simulate::Options options;
  options.until = base::seconds(20);
  for (std::size_t p = 0; p < m.ports.size(); ++p) {
    if (name_of(m, model::PortId(p)) == "desk:eth0") options.captures.emplace_back(p);
  }
  std::set<std::string> sources;
  options.on_frame = [&](const simulate::CapturedFrame& frame) -> base::Result<void> {
    const wire::Bytes bytes(reinterpret_cast<const std::uint8_t*>(frame.bytes.data()), frame.bytes.size());
    const auto packet = wire::decode(wire::LinkType::ethernet, bytes);
    if (const auto* ip = packet.get<wire::Ipv4Header>(); ip != nullptr && frame.inbound)
      sources.insert(wire::to_text(ip->source));
    return {};
  };
  const auto run = simulate::run(m, options);
  ASSERT_TRUE(run);
  EXPECT_EQ(sources, std::set<std::string>{"10.0.0.1"}) << "the desk sees the host's address only";
  for (const std::size_t flow : {0u, 2u, 3u, 4u}) EXPECT_GE(run->flows[flow].answered, 190) << flow;
  EXPECT_GT(run->flows[1].delivered_bytes, 2'000'000);
  EXPECT_GE(run->flows[5].delivered_frames, 190);
  EXPECT_TRUE(run->misdeliveries.empty());
}

// What is worked out without a run is what the run counts.
TEST(Nat, LoadsAreProved) {
  const model::Model m = site(kBehind);
  const check::Learning learning(m);
  const load::Load load = load::work_out(learning);
  const auto run = play(m, base::seconds(200), base::seconds(100));
  for (std::size_t lane = 0; lane < run.lanes.size(); ++lane) {
    load::Range frames = load.lanes[lane].wanted_frames;
    frames += load.lanes[lane].flooded_frames;
    const double played =
        static_cast<double>(run.windows[1].lanes[lane].frames - run.windows[0].lanes[lane].frames) / 100;
    EXPECT_GE(played, frames.least * 0.98 - 1) << name_of(m, m.links[lane / 2].a);
    EXPECT_LE(played, frames.most * 1.02 + 1) << name_of(m, m.links[lane / 2].a);
  }
}

TEST(Nat, LetsNobodyIn) {
  const std::string in = with(kBehind, "from: app, to: desk, kind: ping", "from: desk, to: app, kind: ping");
  EXPECT_TRUE(refusal(in).contains("behind kvm/virbr0, whose NAT lets in nothing but answers"))
      << refusal(in);
  // A route helps as little.
  const std::string routed =
      with(in, "desk: {nics: {eth0: 10.0.0.2/24}}",
           "desk: {nics: {eth0: 10.0.0.2/24}, routes: [{to: 192.168.122.0/24, via: 10.0.0.1}]}");
  EXPECT_TRUE(refusal(routed).contains("behind kvm/virbr0")) << refusal(routed);
}

// Two hosts with libvirt's default network have the same addresses in it.
TEST(Nat, TwoHostsMayHaveTheSameNetwork) {
  const model::Model m = site(R"(
hosts:
  kvm1:
    nics: {eth0: 10.0.0.1/24}
    switches: {virbr0: {kind: nat, ip: 192.168.122.1/24}}
    guests: {app1: {nics: {net0: {on: virbr0, ip: 192.168.122.9/24}}, gateway: 192.168.122.1}}
  kvm2:
    nics: {eth0: 10.0.0.2/24}
    switches: {virbr0: {kind: nat, ip: 192.168.122.1/24}}
    guests: {app2: {nics: {net0: {on: virbr0, ip: 192.168.122.9/24}}, gateway: 192.168.122.1}}
  desk: {nics: {eth0: 10.0.0.9/24}}
switches: {sw1: {}}
links: [[kvm1:eth0, sw1:1], [kvm2:eth0, sw1:2], [desk:eth0, sw1:3]]
traffic:
  - {from: app1, to: desk, kind: ping, every: 100ms}
  - {from: app2, to: desk, kind: ping, every: 100ms}
)");
  const auto run = play(m, base::seconds(20));
  EXPECT_GE(run.flows[0].answered, 190);
  EXPECT_GE(run.flows[1].answered, 190);
  EXPECT_EQ(codes(diagnose(m)), "");
}

constexpr std::string_view kRouted = R"(
hosts:
  kvm:
    nics: {eth0: 10.0.0.1/24}
    switches: {net: {kind: routed, ip: 10.1.0.1/24}}
    guests: {app: {nics: {net0: {on: net, ip: 10.1.0.9/24}}, gateway: 10.1.0.1}}
  desk: {nics: {eth0: 10.0.0.2/24}, routes: [{to: 10.1.0.0/24, via: 10.0.0.1}]}
switches: {sw1: {}}
links: [[kvm:eth0, sw1:1], [desk:eth0, sw1:2]]
traffic:
  - {from: desk, to: app, kind: ping, every: 100ms}
  - {from: app, to: desk, kind: request, every: 100ms}
)";

TEST(Routed, IsReachedFromOutsideWithARoute) {
  const model::Model m = site(kRouted);
  const auto run = play(m, base::seconds(20));
  EXPECT_GE(run.flows[0].answered, 190);
  EXPECT_GE(run.flows[1].answered, 190);
  const std::string lost = with(kRouted, ", routes: [{to: 10.1.0.0/24, via: 10.0.0.1}]", "");
  EXPECT_TRUE(refusal(lost).contains("desk is on no network with it")) << refusal(lost);
  EXPECT_TRUE(refusal(lost).contains("the answers find no way back")) << refusal(lost);
}

TEST(Routed, NeedsAnAddressAndTakesNoUplinks) {
  EXPECT_TRUE(refusal(with(kRouted, "kind: routed, ip: 10.1.0.1/24", "kind: routed"))
                  .contains("is the router of what is on it and needs an address"));
  EXPECT_TRUE(refusal(with(kRouted, "kind: routed,", "kind: routed, uplinks: [eth0],"))
                  .contains("a routed network has no uplinks"));
  EXPECT_TRUE(refusal(with(kRouted, "kind: routed", "kind: ruoted")).contains("did you mean 'routed'"));
}

// Landmine 1, and the host as the router: by proof and by a run.
TEST(Routed, EndsTheLeak) {
  const model::Model m = story("hosted-server");
  findings::Report proof;
  proof.findings = check::structural(m);
  load::prove(m, proof);
  remedy::search(m, {}, proof);
  const Finding* leak = find(proof, Code::kFloodLeak);
  ASSERT_NE(leak, nullptr);
  for (const std::string_view word : {"routed", "nat"}) {
    const auto outcome = std::ranges::find(leak->remedies, word, &findings::RemedyOutcome::word);
    ASSERT_NE(outcome, leak->remedies.end()) << word;
    EXPECT_TRUE(outcome->ends_fault) << word;
    EXPECT_TRUE(outcome->side_effects.empty()) << outcome->side_effects.front();
    EXPECT_EQ(outcome->after_mbit, 0);
  }
}

// Behind a NAT somebody outside would lose the guest: not offered.
TEST(Routed, NatIsNoRemedyForAServerThatOthersCall) {
  const model::Model m = site(R"(
hosts:
  server:
    nics: {eth0: 10.0.0.1/24}
    switches: {vmnet0: {kind: hosted-bridge, uplinks: [eth0]}}
    guests: {app: {nics: {net0: {on: vmnet0, ip: 10.0.0.9/24}}}}
  desk: {nics: {eth0: 10.0.0.2/24}}
  other: {nics: {eth0: 10.0.0.3/24}}
switches: {sw1: {}}
links: [[server:eth0, sw1:1], [desk:eth0, sw1:2], [other:eth0, sw1:3]]
traffic:
  - {from: server, to: app, kind: tcp, rate: 20Mbit/s}
  - {from: desk, to: app, kind: udp, every: 1s, stop: 10s}
)");
  findings::Report proof;
  proof.findings = check::structural(m);
  load::prove(m, proof);
  remedy::search(m, {}, proof);
  const Finding* leak = find(proof, Code::kFloodLeak);
  ASSERT_NE(leak, nullptr) << codes(proof);
  EXPECT_EQ(std::ranges::count(leak->remedies, "routed", &findings::RemedyOutcome::word), 1);
  EXPECT_EQ(std::ranges::count(leak->remedies, "nat", &findings::RemedyOutcome::word), 0);
}

}  // namespace
}  // namespace sekimori::scenarios

// The live switch against the simulator: one switching code, put together twice. Random virtual switches of
// the kinds that Linux lacks, random frames, compared copy by copy.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "importers/site.h"
#include "lab/live_switch.h"
#include "tests/differential/simulated.h"

namespace sekimori::differential {
namespace {

constexpr const char* kKinds[] = {
    "hosted-bridge",       "hosted-bridge, filters-local: on", "esxi",  "hyperv", "macvlan, mode: bridge",
    "macvlan, mode: vepa", "macvlan, mode: private",           "sriov", "ovs"};

std::string random_site(base::Random& random, std::string_view kind, std::size_t guests) {
  std::string text = fmt::format(
      "sekimori: 1\nhosts:\n  node:\n    nics: {{eth0: {{ip: 10.0.0.1/24}}}}\n"
      "    switches: {{v: {{kind: {}, uplinks: [eth0]",
      kind);
  text += kind.starts_with("ovs") && random.below(2) == 0 ? ", table-size: 10" : "";
  text += random.below(3) == 0 ? ", ports: {eth0: {guard: on}}" : "";
  text += "}}\n    guests:\n";
  for (std::size_t g = 0; g < guests; ++g) {
    text += fmt::format("      g{0}: {{nics: {{n: {{on: v, ip: 10.0.0.{1}/24{2}}}}}}}\n", g, g + 10,
                        random.below(3) == 0 ? ", isolated: on" : "");
  }
  return text +
         "  a: {nics: {e: 10.0.0.2/24}}\n  b: {nics: {e: 10.0.0.3/24}}\n"
         "switches: {sw: {}}\nlinks: [[node:eth0, sw:1], [a:e, sw:2], [b:e, sw:3]]\n";
}

std::vector<model::PortId> relay(Simulated& simulated, const model::Bridge& bridge, model::PortId in,
                                 wire::Mac destination, wire::Mac source, base::Time at) {
  std::vector<model::PortId> ports;
  const auto all = simulated.relay(in, {destination, source}, at);
  for (std::size_t p = 0; p < all.size(); ++p)
    ports.insert(ports.end(), static_cast<std::size_t>(all[p].frames), bridge.ports[p]);
  return ports;
}

std::vector<model::PortId> relay(lab::LiveSwitch& live, model::PortId in, wire::Mac destination,
                                 wire::Mac source, base::Time at) {
  std::vector<model::PortId> ports;
  for (const auto& copy : live.relay(in, {.destination = destination, .source = source, .bytes = 60}, at))
    ports.push_back(copy.port);
  return ports;
}

void play(std::string_view kind, std::uint64_t seed) {
  base::Random random(seed);
  const std::string text = random_site(random, kind, 1 + random.below(kind == "ovs" ? 12 : 4));
  const auto parsed = importers::parse_site(text, "random.yaml");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().text() << text;
  const model::Model& site = *parsed;
  std::size_t b = 0;
  while (site.bridges[b].name != "v") ++b;
  const model::BridgeId bridge(b);
  Simulated simulated(site, bridge);
  lab::LiveSwitch live(site, bridge);
  std::vector<model::PortId> ports;
  for (const model::PortId port : site[bridge].ports) {
    if (site[port].link.valid()) ports.push_back(port);
  }
  base::Time now{0};
  for (int i = 0; i < 60; ++i) {
    // Never two at one time: which of two entries of one age goes first from a full table is nobody's
    // business.
    now += base::milliseconds(1) +
           base::seconds(static_cast<std::int64_t>(random.below(random.below(10) == 0 ? 400 : 5)));
    const model::PortId in = ports[random.below(ports.size())];
    const auto any = [&] { return site.stations[random.below(site.stations.size())].mac; };
    const wire::Mac destination = random.below(6) == 0 ? wire::kBroadcast : any();
    // Who is plugged in sends with its own address; from outside anything may come, also what was sent
    // before.
    const model::Port& far = site[model::peer(site, in)];
    const wire::Mac source = far.station.valid() ? site[far.station].mac : any();
    auto expected = relay(simulated, site[bridge], in, destination, source, now),
         real = relay(live, in, destination, source, now);
    std::ranges::sort(expected);
    std::ranges::sort(real);
    ASSERT_EQ(real, expected) << kind << ", seed " << seed << ", frame " << i << ": in " << name_of(site, in)
                              << " " << wire::to_text(source) << " -> " << wire::to_text(destination) << "\n"
                              << text;
  }
}

TEST(LiveSwitch, DoesWhatTheSimulatorDoes) {
  for (const char* kind : kKinds) {
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
      play(kind, seed);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace sekimori::differential

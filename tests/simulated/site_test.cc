// A capture against a site: what is played is one site, what is declared another. Each code has its trigger,
// and silence where the two agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>

#include "importers/site.h"
#include "simulate/run.h"
#include "watch/diagnose.h"
#include "watch/observer.h"

namespace sekimori {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kSite = R"(
sekimori: 1
hosts:
  a: {nics: {eth0: {mac: "a0:36:9f:00:00:01", ip: 10.0.0.1/24}}}
  b: {nics: {eth0: {mac: "a0:36:9f:00:00:02", ip: 10.0.0.2/24}}}
  c: {nics: {eth0: 10.0.0.3/24}}
  d: {nics: {eth0: 10.0.0.4/24}}
  other: {nics: {eth0: 10.0.20.1/24}}
switches:
  sw1: {ports: {9: {access: 20}, 24: {trunk: [20]}}}
  sw2: {ports: {9: {access: 20}, 24: {trunk: [20]}}}
links:
  - [a:eth0, sw1:1]
  - [b:eth0, sw1:2]
  - [c:eth0, sw2:1]
  - [d:eth0, sw2:2]
  - [other:eth0, sw1:9]
  - [sw1:24, sw2:24]
traffic:
  - {from: a, to: c, kind: ping, every: 100ms}
  - {from: b, to: d, kind: ping, every: 100ms}
)";

std::string with(std::string_view from, std::string_view to) {
  std::string text(kSite);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

model::Model parsed(std::string_view text) {
  auto model = importers::parse_site(text, "test");
  if (!model) ADD_FAILURE() << model.error().text();
  return model ? *model : model::Model{};
}

model::PortId port(const model::Model& model, std::string_view name) {
  for (std::size_t i = 0; i < model.ports.size(); ++i) {
    if (model::name_of(model, model::PortId(i)) == name) return model::PortId(i);
  }
  ADD_FAILURE() << "no port " << name;
  return {};
}

watch::Observations seen_at(const model::Model& model, std::string_view name, int seconds = 5) {
  watch::Observer observer;
  wire::CaptureInterface interface;
  observer.interfaces({&interface, 1});
  simulate::Options options;
  options.until = base::seconds(seconds);
  options.captures.push_back(port(model, name));
  std::uint64_t number = 0;
  options.on_frame = [&](const simulate::CapturedFrame& captured) -> base::Result<void> {
    wire::Frame frame;
    frame.number = ++number;
    frame.timestamp_ns = std::chrono::floor<std::chrono::nanoseconds>(captured.at).count();
    frame.original_length = static_cast<std::uint32_t>(captured.bytes.size());
    frame.direction = captured.inbound ? wire::Direction::inbound : wire::Direction::outbound;
    frame.bytes = {reinterpret_cast<const std::uint8_t*>(captured.bytes.data()), captured.bytes.size()};
    observer.frame(frame);
    return {};
  };
  EXPECT_TRUE(simulate::run(model, options).has_value());
  return observer.finish();
}

findings::Report against(std::string_view played, std::string_view declared, std::string_view at,
                         bool say_port = true) {
  const model::Model site = parsed(declared);
  return watch::report_of(seen_at(parsed(played), at), std::nullopt,
                          {.model = &site, .port = say_port ? port(site, at) : model::PortId{}});
}

std::vector<std::string> words(const findings::Report& report) {
  std::vector<std::string> out;
  for (const findings::Finding& f : report.findings) out.emplace_back(findings::entry(f.code).word);
  return out;
}

TEST(Site, AsDeclaredNothingIsSaid) {
  for (const char* at : {"sw1:1", "sw1:2", "sw1:24", "sw2:24", "sw2:1", "a:eth0"}) {
    EXPECT_THAT(words(against(kSite, kSite, at)), IsEmpty()) << at;
    EXPECT_THAT(words(against(kSite, kSite, at, false)), IsEmpty()) << at;
  }
}

TEST(Site, TellsStationsThatItDoesNotKnow) {
  std::string played = with("  other:", "  x: {nics: {eth0: 10.0.0.66/24}}\n  other:");
  played.replace(played.find("links:\n"), 7, "links:\n  - [x:eth0, sw1:7]\n");
  const auto report = against(played, kSite, "sw1:1");
  ASSERT_THAT(words(report), ElementsAre("station-unknown"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr("(10.0.0.66)"));
}

// The beacons of a hypervisor bear addresses that no site file declares.
TEST(Site, KnowsThatHypervisorsHaveAddressesOfTheirOwn) {
  const auto beacons = [](std::string_view kind) {
    return with("  other:", fmt::format(R"(  esx:
    nics: {{vmnic0: {{}}, vmnic1: {{}}}}
    switches: {{vs0: {}}}
    guests: {{vm: {{nics: {{net0: {{on: vs0, ip: 10.0.0.7/24}}}}}}}}
  other:)",
                                        kind));
  };
  const auto linked = [](std::string text) {
    const std::size_t links = text.find("links:\n");
    return text.replace(links, 7, "links:\n  - [esx:vmnic0, sw1:7]\n  - [esx:vmnic1, sw1:8]\n");
  };
  const std::string esxi = linked(beacons("{kind: esxi, uplinks: [vmnic0, vmnic1], beacon-probing: on}"));
  EXPECT_THAT(words(against(esxi, esxi, "sw1:1")), IsEmpty());
  const auto report = against(esxi, linked(beacons("{kind: hyperv, uplinks: [vmnic0, vmnic1]}")), "sw1:1");
  ASSERT_THAT(words(report), ElementsAre("station-unknown")) << "none is declared there";
  EXPECT_THAT(report.findings[0].headline, HasSubstr("00:50:56:50:00:"));
}

TEST(Site, TellsAnotherAddress) {
  const auto report = against(with("ip: 10.0.0.2/24", "ip: 10.0.0.77/24"), kSite, "sw1:1");
  ASSERT_THAT(words(report), ElementsAre("address-unexpected"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr("has 10.0.0.77; the site gives it 10.0.0.2"));
}

TEST(Site, TellsWhoTookAnAddress) {
  const auto report = against(with("a0:36:9f:00:00:02", "a0:36:9f:00:00:99"), kSite, "sw1:1");
  EXPECT_THAT(words(report), ElementsAre("address-unexpected", "station-unknown", "station-unseen"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr("10.0.0.2 of b:eth0 is claimed by a0:36:9f:00:00:99"));
}

TEST(Site, KnowsAStationWhoseMacIsLeftOutByItsAddress) {
  // c has another MAC in reality than the one that was allocated.
  const auto report = against(with("c: {nics: {eth0: 10.0.0.3/24}}",
                                   "c: {nics: {eth0: {mac: \"a0:36:9f:00:00:33\", ip: 10.0.0.3/24}}}"),
                              kSite, "sw1:24");
  EXPECT_THAT(words(report), IsEmpty());
}

TEST(Site, TellsTheWrongVlan) {
  // b was plugged into a port of VLAN 20.
  const std::string played = with("ports: {9: {access: 20}", "ports: {2: {access: 20}, 9: {access: 20}");
  const auto report = against(played, kSite, "sw1:24");
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].code, findings::Code::kVlanUnexpected);
  EXPECT_THAT(report.findings[0].headline, HasSubstr("b:eth0 (a0:36:9f:00:00:02) is heard with VLAN 20"));
}

TEST(Site, TellsTheWrongSegment) {
  // other was plugged into a port of VLAN 1, where the site has no business of it.
  const std::string played = with("ports: {9: {access: 20}", "ports: {9: {access: 1}");
  const auto report = against(played, kSite, "sw1:1");
  ASSERT_THAT(words(report), ElementsAre("station-unexpected"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr("other:eth0"));
}

TEST(Site, TellsTheWrongSide) {
  // b is behind sw2.
  const auto report = against(with("[b:eth0, sw1:2]", "[b:eth0, sw2:7]"), kSite, "sw1:24");
  ASSERT_THAT(words(report), ElementsAre("station-unexpected"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr("wrong side of sw1:24"));
}

TEST(Site, TellsWhoShouldBeOff) {
  const std::string declared =
      with("d: {nics: {eth0: 10.0.0.4/24}}", "d: {nics: {eth0: 10.0.0.4/24}, state: stopped}");
  const auto report = against(kSite, declared, "sw1:1");
  ASSERT_THAT(words(report), ElementsAre("station-unexpected"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr("is declared as stopped"));
}

TEST(Site, ListsWhoWasNotHeard) {
  const std::string played =
      with("d: {nics: {eth0: 10.0.0.4/24}}", "d: {nics: {eth0: 10.0.0.4/24}, state: stopped}");
  const auto report = against(played, kSite, "sw1:1");
  EXPECT_THAT(words(report), ElementsAre("station-unseen"));
  EXPECT_EQ(report.findings[0].severity, findings::Severity::kNote);
  EXPECT_THAT(report.findings[0].headline, HasSubstr("d:eth0"));
}

// Without the site three causes are left at the server's own port.
TEST(Site, DecidesTheLeakAtItsSource) {
  const auto model = importers::load_site("examples/hosted-server/site.yaml");
  ASSERT_TRUE(model.has_value());
  const watch::Observations o = seen_at(*model, "sw1:1", 20);
  EXPECT_THAT(words(watch::report_of(o, std::nullopt)), ElementsAre("flood-undecided"));
  EXPECT_THAT(words(watch::report_of(o, std::nullopt, {.model = &*model, .port = {}})),
              ElementsAre("flood-leak"));
  const auto told = watch::report_of(o, std::nullopt, {.model = &*model, .port = port(*model, "sw1:1")});
  ASSERT_THAT(words(told), ElementsAre("flood-leak"));
  EXPECT_THAT(told.findings[0].headline, HasSubstr("app:net0"));
  EXPECT_THAT(told.remarks, ::testing::Contains(HasSubstr("it is sw1:1")));
}

// A silent receiver behind this very port is no flood, and the site says who is there.
TEST(Site, KnowsASilentReceiverBehindThePort) {
  const auto model = importers::load_site("examples/silent-syslog/site.yaml");
  ASSERT_TRUE(model.has_value());
  for (const char* at : {"sw2:1", "sw1:24"}) {
    EXPECT_THAT(words(watch::report_of(seen_at(*model, at, 310), std::nullopt,
                                       {.model = &*model, .port = port(*model, at)})),
                IsEmpty())
        << at;
  }
}

}  // namespace
}  // namespace sekimori

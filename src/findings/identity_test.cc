#include "findings/identity.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sekimori::findings {
namespace {

// Machines a to d with a station net0 each.
model::Model four_machines() {
  model::Model m;
  for (const char* name : {"a", "b", "c", "d"}) {
    model::Station station;
    station.name = "net0";
    station.machine = model::MachineId(m.machines.size());
    m.stations.push_back(station);
    m.machines.emplace_back().name = name;
  }
  return m;
}

Finding finding(Code code, std::string where, std::initializer_list<std::size_t> stations = {}) {
  Finding f;
  f.code = code;
  f.where = std::move(where);
  for (const std::size_t s : stations) f.stations.emplace_back(s);
  return f;
}

std::uint64_t fingerprint(const Finding& f, const model::Model& m = four_machines()) {
  std::vector<Finding> list{f};
  identify(m, list);
  return list.front().fingerprint;
}

TEST(Identity, StaysForEver) {
  // Files in other people's repositories hold these numbers.
  EXPECT_EQ(fingerprint(finding(Code::kLoop, "sw1, sw2 and sw3")), 17242850147888130774u);
  EXPECT_EQ(fingerprint(finding(Code::kFloodLeak, "h/br0", {0, 1})), 4895294519208100627u);
}

TEST(Identity, IsThatOfTheFaultAndNotOfItsTelling) {
  Finding f = finding(Code::kFloodLeak, "h/br0", {0});
  const std::uint64_t before = fingerprint(f);
  f.line = 99;
  f.headline = "more";
  f.cause = "because";
  f.severity = Severity::kWarning;
  f.onset = base::seconds(3);
  f.links.resize(2);
  f.evidence.resize(1);
  EXPECT_EQ(fingerprint(f), before);
}

TEST(Identity, DiffersWithCodePlaceAndStations) {
  std::vector<std::uint64_t> all = {
      fingerprint(finding(Code::kFloodLeak, "h/br0", {0})),
      fingerprint(finding(Code::kLeakLatent, "h/br0", {0})),
      fingerprint(finding(Code::kFloodLeak, "h/br1", {0})),
      fingerprint(finding(Code::kFloodLeak, "h/br0", {1})),
      fingerprint(finding(Code::kFloodLeak, "h/br0", {0, 1})),
      fingerprint(finding(Code::kFloodLeak, "h/br0")),
  };
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
  EXPECT_NE(all.front(), 0u);
}

TEST(Identity, OrderDoesNotCount) {
  EXPECT_EQ(fingerprint(finding(Code::kLoop, "sw1, sw2 and sw3")),
            fingerprint(finding(Code::kLoop, "sw3, sw1 and sw2")));
  EXPECT_EQ(fingerprint(finding(Code::kMacDuplicate, "a:net0, b:net0 and c:net0", {0, 1, 2})),
            fingerprint(finding(Code::kMacDuplicate, "c:net0 and 2 more", {2, 0, 1})))
      << "names, of which a long list shows only some";
}

TEST(Identity, IsByNameNotByNumber) {
  model::Model m = four_machines();
  std::swap(m.machines[0].name, m.machines[3].name);
  EXPECT_EQ(fingerprint(finding(Code::kFloodSilent, "a:net0", {0})),
            fingerprint(finding(Code::kFloodSilent, "a:net0", {3}), m));
}

TEST(Identity, ASwitchThatFloodsEverythingIsOneFault) {
  EXPECT_EQ(fingerprint(finding(Code::kFloodNoLearning, "hub", {0})),
            fingerprint(finding(Code::kFloodNoLearning, "hub", {1, 2})));
}

TEST(Identity, EqualFindingsAreCounted) {
  const Finding f = finding(Code::kSegmentMixed, "host");
  std::vector<Finding> list{f, f, f};
  identify(four_machines(), list);
  EXPECT_EQ(list[0].fingerprint, fingerprint(f));
  EXPECT_NE(list[0].fingerprint, list[1].fingerprint);
  EXPECT_NE(list[1].fingerprint, list[2].fingerprint);
}

}  // namespace
}  // namespace sekimori::findings

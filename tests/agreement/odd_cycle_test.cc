// The example in which timing decides: no set of entries supports exactly itself, so no analysis of the site
// alone can say more than that it can't say.
#include <gtest/gtest.h>

#include "check/learning.h"
#include "importers/site.h"
#include "naive.h"

namespace sekimori::agreement {
namespace {

TEST(OddCycle, NoStateOfTheExampleAgreesWithItself) {
  const auto model = importers::load_site("examples/timing-decides/site.yaml");
  ASSERT_TRUE(model);
  const check::Learning learning(*model);
  std::vector<NaiveStream> streams;
  for (const check::Stream& s : learning.streams()) streams.push_back({s.from, s.to});
  ASSERT_EQ(streams.size(), 3u) << "addresses are never asked for again";

  const FixedPoint known = naive_fixed_point(*model, streams);
  std::vector<Entry> open;
  for (const Entry& entry : known.upper) {
    if (!known.lower.contains(entry)) open.push_back(entry);
  }
  ASSERT_GE(open.size(), 3u);
  ASSERT_LE(open.size(), 16u);
  for (std::uint32_t choice = 0; choice < 1u << open.size(); ++choice) {
    Entries present = known.lower;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (choice >> i & 1) present.insert(open[i]);
    }
    EXPECT_NE(must(*model, streams, present), present) << "a state that agrees with itself: " << choice;
  }
}

}  // namespace
}  // namespace sekimori::agreement

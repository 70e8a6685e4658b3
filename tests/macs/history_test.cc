// The judge itself: it must see what is wrong.
#include "tests/macs/history.h"

#include <gtest/gtest.h>

#include <sstream>

namespace sekimori::macs_tests {
namespace {

constexpr const char* kA = "02:00:00:00:00:0a";

History history(const std::vector<std::string>& lines) {
  History h;
  std::int64_t at = 0;
  for (const std::string& line : lines) h.add(++at, line);
  return h;
}

Entry entry(const std::string& token, macs::State state = macs::State::kAllocated) {
  return {.mac = *wire::parse_mac(kA), .state = state, .token = token};
}

TEST(History, SoundOnes) {
  EXPECT_EQ(history({"ask t", std::string("got t ") + kA}).wrongs({entry("t")}), "");
  EXPECT_EQ(history({"ask t", std::string("got t ") + kA, std::string("releasing ") + kA, "ask u",
                     std::string("got u ") + kA})
                .wrongs({entry("u")}),
            "");
  EXPECT_EQ(history({"ask t"}).wrongs({entry("t")}), "") << "killed before the answer";
  EXPECT_EQ(
      history({"ask t", std::string("got t ") + kA, std::string("releasing ") + kA}).wrongs({entry("t")}), "")
      << "killed while releasing";
  EXPECT_EQ(history({"ask t", "unknown t"}).wrongs({entry("t")}), "");
}

TEST(History, WrongOnes) {
  const auto wrong = [](const std::vector<std::string>& lines, const std::vector<Entry>& registry) {
    return history(lines).wrongs(registry);
  };
  const std::string got_t = std::string("got t ") + kA, got_u = std::string("got u ") + kA;
  EXPECT_NE(wrong({"ask t", "ask u", got_t, got_u}, {entry("u")}), "") << "twice";
  EXPECT_NE(wrong({"ask t", got_t, "ask u", got_u, std::string("releasing ") + kA}, {entry("u")}), "")
      << "twice, released later";
  EXPECT_NE(wrong({"ask t", got_t}, {}), "") << "forgotten";
  EXPECT_NE(wrong({"ask t", got_t}, {entry("t", macs::State::kFreed)}), "") << "freed by nobody";
  EXPECT_NE(wrong({"ask t", "ask u", got_t}, {entry("u")}), "") << "recorded for another";
  EXPECT_NE(wrong({}, {entry("t")}), "") << "invented";
  EXPECT_NE(wrong({"ask t", "failed t"}, {entry("t")}), "") << "said to have failed";
}

}  // namespace
}  // namespace sekimori::macs_tests

#include "report/typeset.h"

#include <gtest/gtest.h>

namespace sekimori::report {
namespace {

TEST(Typeset, NothingMovesTheCursor) {
  EXPECT_EQ(printable("\x1b[31mred\x1b[0m", true), "\\x1b[31mred\\x1b[0m");
  EXPECT_EQ(printable("a\nb\tc\rd\x7f", true), "a\\nb\\tc\\x0dd\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J",
                      true),
            "\\u{9b}2J");  // C1 CSI
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "evil",
                      true),
            "\\u{202e}evil");  // right-to-left override
  EXPECT_EQ(printable("a\xe2\x80\x8b"
                      "b",
                      true),
            "a\\u{200b}b");  // zero-width space
  EXPECT_EQ(printable(std::string_view("a\0b", 3), true), "a\\x00b");
}

TEST(Typeset, InvalidUtf8IsShownByByte) {
  EXPECT_EQ(printable("\xff", true), "\\xff");
  EXPECT_EQ(printable("\xc0\xaf", true), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80", true), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(printable("\xe2\x82", true), "\\xe2\\x82");           // cut short
  EXPECT_EQ(printable("\xf5\x80\x80\x80", true), "\\xf5\\x80\\x80\\x80");
}

TEST(Typeset, AsciiTerminalsGetAscii) {
  EXPECT_EQ(printable("東京", true), "東京");
  EXPECT_EQ(printable("東京", false), "\\u{6771}\\u{4eac}");
}

TEST(Typeset, Columns) {
  EXPECT_EQ(columns("sw1:24"), 6u);
  EXPECT_EQ(columns("東京"), 4u);
  EXPECT_EQ(columns("e\xcc\x81"), 1u);
  EXPECT_EQ(columns("→ █"), 3u);
}

TEST(Typeset, ShortenKeepsBothEnds) {
  EXPECT_EQ(shorten("sw1", 6, true), "sw1");
  EXPECT_EQ(shorten("abcdefghij", 7, true), "abc…hij");
  EXPECT_EQ(shorten("abcdefghij", 7, false), "ab...ij");
  EXPECT_EQ(shorten("abcdefghij", 2, false), "..");
  EXPECT_EQ(shorten("東京大阪名古屋", 6, true), "東…屋");
}

TEST(Typeset, ClipKeepsTheBeginning) {
  EXPECT_EQ(clip("abcdefghij", 7, true), "abcdef…");
  EXPECT_EQ(clip("abcdefghij", 7, false), "abcd...");
  EXPECT_EQ(clip("abcdefghij", 10, false), "abcdefghij");
}

TEST(Typeset, WrapKeepsNumbersWithUnits) {
  EXPECT_EQ(wrap("floods 20.9 Mbit/s to 3 ports", 13, true),
            (std::vector<std::string>{"floods", "20.9 Mbit/s", "to 3 ports"}));
  EXPECT_EQ(wrap("", 10, true), (std::vector<std::string>{""}));
  EXPECT_EQ(wrap("  a   b ", 10, true), (std::vector<std::string>{"a b"}));
}

TEST(Typeset, WrapBreaksAndShortensLongWords) {
  EXPECT_EQ(wrap("ab cdefghij k", 4, true), (std::vector<std::string>{"ab", "cdef", "ghij", "k"}));
  const auto lines = wrap(std::string(10'000, 'x'), 70, true);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(columns(lines[0]), 60u);
  for (std::size_t width = 2; width < 30; ++width) {
    for (const auto& line : wrap("ein 東京 Donaudampfschifffahrt 10 Mbit/s x", width, true)) {
      EXPECT_LE(columns(line), width);
    }
  }
}

}  // namespace
}  // namespace sekimori::report

#include "sys/terminal.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "sys/progress.h"
#include "sys/signals.h"

#include <unistd.h>
#include <csignal>

namespace sekimori::sys {
namespace {

Environment environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

TEST(Terminal, Colour) {
  const auto xterm = environment({{"TERM", "xterm"}});
  EXPECT_TRUE(wants_colour(ColourChoice::kAuto, true, xterm));
  EXPECT_FALSE(wants_colour(ColourChoice::kAuto, false, xterm));
  EXPECT_TRUE(wants_colour(ColourChoice::kAlways, false, environment({{"NO_COLOR", "1"}})));
  EXPECT_FALSE(wants_colour(ColourChoice::kNever, true, environment({{"CLICOLOR_FORCE", "1"}})));
  EXPECT_FALSE(wants_colour(ColourChoice::kAuto, true, environment({{"TERM", "xterm"}, {"NO_COLOR", "1"}})));
  EXPECT_TRUE(wants_colour(ColourChoice::kAuto, true, environment({{"TERM", "xterm"}, {"NO_COLOR", ""}})));
  EXPECT_TRUE(wants_colour(ColourChoice::kAuto, false, environment({{"CLICOLOR_FORCE", "1"}})));
  EXPECT_FALSE(wants_colour(ColourChoice::kAuto, false, environment({{"CLICOLOR_FORCE", "0"}})));
  EXPECT_FALSE(wants_colour(ColourChoice::kAuto, true, environment({{"TERM", "dumb"}})));
  EXPECT_FALSE(wants_colour(ColourChoice::kAuto, true, environment({})));
}

TEST(Terminal, Locale) {
  EXPECT_TRUE(locale_is_utf8(environment({{"LANG", "ja_JP.UTF-8"}})));
  EXPECT_TRUE(locale_is_utf8(environment({{"LANG", "C.utf8"}})));
  EXPECT_FALSE(locale_is_utf8(environment({{"LANG", "C"}})));
  EXPECT_FALSE(locale_is_utf8(environment({})));
  EXPECT_FALSE(locale_is_utf8(environment({{"LC_ALL", "C"}, {"LANG", "en_US.UTF-8"}})));
  EXPECT_TRUE(locale_is_utf8(environment({{"LC_ALL", ""}, {"LC_CTYPE", "en_US.UTF-8"}})));
}

TEST(Terminal, WidthOfWhatIsNoTerminal) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(describe_terminal(ends[1], ColourChoice::kAuto, environment({})).width, 80u);
  EXPECT_EQ(describe_terminal(ends[1], ColourChoice::kAuto, environment({{"COLUMNS", "132"}})).width, 132u);
  for (const char* bad : {"0", "-5", "x", "", "99999999999999999999", "80x"}) {
    EXPECT_EQ(describe_terminal(ends[1], ColourChoice::kAuto, environment({{"COLUMNS", bad}})).width, 80u)
        << bad;
  }
  EXPECT_FALSE(describe_terminal(ends[1], ColourChoice::kAuto, environment({})).is_terminal);
  close(ends[0]);
  close(ends[1]);
}

TEST(Progress, Line) {
  using std::chrono::duration;
  EXPECT_EQ(progress_line("simulating 90s of 900s", 0.1, duration<double>(2), 80),
            "simulating 90s of 900s  10 %  about 18 s left");
  EXPECT_EQ(progress_line("x", 0.5, duration<double>(600), 80), "x  50 %  about 10 min left");
  EXPECT_EQ(progress_line("x", 0.001, duration<double>(1), 80), "x  0 %");
  EXPECT_EQ(progress_line("x", 0.001, duration<double>(60), 80), "x  0 %  about 17 h left");
  EXPECT_EQ(progress_line("x", 1.5, duration<double>(1), 80), "x  100 %");
  EXPECT_EQ(progress_line("a long text that is cut", 0, duration<double>(1), 6), "a long");
}

TEST(Signals, FirstSetsAFlagSecondExits) {
  EXPECT_EXIT(
      {
        catch_interrupts();
        if (interrupted()) _exit(1);
        raise(SIGINT);
        if (!interrupted()) _exit(2);
        raise(SIGINT);
        _exit(3);
      },
      testing::ExitedWithCode(kInterruptedExit), "");
}

}  // namespace
}  // namespace sekimori::sys

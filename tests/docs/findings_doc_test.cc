// The catalogue of codes and docs/findings.md tell of the same things, and the README lists them all.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "findings/catalogue.h"

namespace sekimori::findings {
namespace {

std::string text_of(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

TEST(FindingsDoc, HasASectionForEveryCodeAndNoOther) {
  std::istringstream lines(text_of("docs/findings.md"));
  std::set<std::string> sections;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) sections.insert(line.substr(3));
  }
  std::set<std::string> codes;
  for (const CatalogueEntry& entry : catalogue()) codes.emplace(entry.word);
  EXPECT_EQ(sections, codes);
}

TEST(Readme, ListsEveryCode) {
  const std::string readme = text_of("README.md");
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_NE(readme.find("| `" + std::string(entry.word) + "` |"), std::string::npos) << entry.word;
  }
}

// The session in the README is that of the first story, which is run and compared as a test of its own.
TEST(Readme, SessionIsReal) {
  const std::string readme = text_of("README.md"), story = text_of("examples/hosted-server/README.md");
  const std::size_t begin = readme.find("BROKEN:");
  ASSERT_NE(begin, std::string::npos);
  const std::string session = readme.substr(begin, readme.find("\n```", begin) - begin);
  EXPECT_GT(session.size(), 2000u);
  EXPECT_NE(story.find(session), std::string::npos) << "copy the story's output into the README";
}

TEST(Catalogue, WordsAreUniqueAndFound) {
  std::set<std::string_view> words;
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_TRUE(words.insert(entry.word).second) << entry.word;
    EXPECT_EQ(code_of(entry.word), entry.code);
  }
  EXPECT_EQ(code_of("no-such-code"), std::nullopt);
}

}  // namespace
}  // namespace sekimori::findings

// Good site files with a few random changes: the reader may accept or refuse them, but never crashes, and
// what it accepts is sound (finish() asserts it). Run it under the sanitizers to mean anything.
#include <sstream>

#include "base/random.h"
#include "importers/test_support.h"

namespace sekimori::importers {
namespace {

std::vector<std::string> good_files() {
  std::vector<std::string> files = {read_text("tests/data/site/article.yaml"),
                                    read_text("tests/data/site/everything.yaml")};
  const std::string docs = read_text("docs/site-file.md");
  for (std::size_t at = docs.find("```yaml\n"); at != std::string::npos; at = docs.find("```yaml\n", at)) {
    at += 8;
    files.push_back(docs.substr(at, docs.find("```", at) - at));
  }
  return files;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string swap_lines(const std::string& text, base::Random& random) {
  auto lines = lines_of(text);
  if (lines.size() > 1) std::swap(lines[random.below(lines.size())], lines[random.below(lines.size())]);
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

std::string mutate(std::string text, base::Random& random, const std::vector<std::string>& files) {
  using std::string_view_literals::operator""sv;
  constexpr std::string_view kLoaded = "0159{}[],:&*-'\"#|>!%@?<~\n\t \0\xff"sv;
  for (auto left = 1 + random.below(3); left > 0 && !text.empty(); --left) {
    const std::size_t at = random.below(text.size());
    switch (random.below(7)) {
      case 0:
        text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
        break;
      case 1:
        text[at] = kLoaded[random.below(kLoaded.size())];
        break;
      case 2:
        text.resize(at);
        break;
      case 3:
        text.erase(at, 1 + random.below(20));
        break;
      case 4:
        text.insert(at, text.substr(random.below(text.size()), random.below(60)));
        break;
      case 5:
        text = swap_lines(text, random);
        break;
      default: {
        const std::string& other = files[random.below(files.size())];
        text.insert(at, other.substr(random.below(other.size()), random.below(80)));
      }
    }
  }
  return text;
}

TEST(SiteMutation, NeverCrashes) {
  const std::vector<std::string> files = good_files();
  base::Random random(20240807);
  int accepted = 0;
  constexpr int kRounds = 6000;
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = mutate(files[random.below(files.size())], random, files);
    const auto site = parse_site(text, "mutant");
    if (site) {
      ++accepted;
    } else {
      ASSERT_FALSE(site.error().problems.empty());
      ASSERT_FALSE(site.error().text().empty());
    }
  }
  EXPECT_GT(accepted, kRounds / 50);
  EXPECT_LT(accepted, kRounds);
}

}  // namespace
}  // namespace sekimori::importers

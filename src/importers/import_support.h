// For the tests of imports: exports in, a site out.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "importers/draft.h"
#include "importers/sources.h"
#include "importers/test_support.h"

namespace sekimori::importers {

struct Import {
  Facts facts;
  Draft draft;
  std::string site;
  std::vector<std::string> left_out;
};

inline Import import(std::span<const SourceText> sources, std::string_view format = {}) {
  Import result{read_sources(sources, format), {}, {}, {}};
  result.draft = merge(result.facts);
  result.site = write_site(result.draft);
  for (const Omission& o : result.facts.left_out)
    result.left_out.push_back(fmt::format("{}: {}", result.facts.text(o.place), o.what));
  return result;
}

inline Import import_text(std::string name, std::string text, std::string_view format = {}) {
  const SourceText source{std::move(name), std::move(text)};
  return import(std::span(&source, 1), format);
}

inline std::vector<SourceText> folder(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) names.push_back(entry.path().string());
  }
  std::ranges::sort(names);
  std::vector<SourceText> texts;
  for (const std::string& name : names) texts.push_back({name, read_text(name), false});
  return texts;
}

inline model::Model model_of(const Import& imported) {
  auto model = parse_site(imported.site, "imported");
  EXPECT_TRUE(model) << (model ? "" : model.error().text()) << imported.site;
  return model ? std::move(*model) : model::Model{};
}

inline std::vector<std::string> notes(const model::Model& model) {
  std::vector<std::string> texts;
  for (const model::Note& note : model.notes)
    texts.push_back((note.kind == model::Note::Kind::kSuspect ? "suspect: " : "assumed: ") + note.text);
  return texts;
}

}  // namespace sekimori::importers

// Exports in, facts out. The format of each text is told by its content; text of a wrong encoding is turned
// into UTF-8 or refused in words.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "importers/facts.h"

namespace sekimori::importers {

struct SourceText {
  std::string name;  // as the user knows it: "exports/server/link.json"
  std::string text;
  bool is_named = true;  // the user named this very file; of a folder, what is no export is passed over
};

// Larger files are refused.
constexpr std::size_t kMostSourceBytes = std::size_t{1} << 30;

// The words of --from.
std::vector<std::string_view> format_words();

// What it is by its content: one of format_words(), or nothing.
std::string_view format_of(const SourceText& source);

// As UTF-8 without a byte order mark; an error says why it is no text.
std::expected<std::string, std::string> readable(const std::string& bytes);

// `format` is one of format_words(), or empty: told by content.
Facts read_sources(std::span<const SourceText> sources, std::string_view format);

}  // namespace sekimori::importers

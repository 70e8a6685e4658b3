#include "importers/site.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "importers/problems.h"
#include "importers/site_reader.h"
#include "importers/yaml_tree.h"

namespace sekimori::importers {
namespace {

std::unexpected<SiteErrors> whole_file(const std::string& name, std::string what) {
  return std::unexpected(SiteErrors{name, {{0, 0, std::move(what), {}, 0}}, false});
}

// Reads no more than the limit and a byte, so that an endless input ends.
std::expected<std::string, std::string> read_all(std::istream& in) {
  std::string text;
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  while (in && text.size() <= YamlTree::kMostBytes) {
    const std::size_t before = text.size();
    text.resize(before + kChunk);
    in.read(text.data() + before, kChunk);
    text.resize(before + static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) return std::unexpected(fmt::format("cannot be read: {}", std::strerror(errno)));
  return text;
}

std::expected<std::string, std::string> read_file(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return std::unexpected("there is no such file");
  if (fs::is_directory(status)) return std::unexpected("is a directory; a site file is expected");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::unexpected(fmt::format("cannot be opened: {}", std::strerror(errno)));
  return read_all(in);
}

// Says what makes the text no text, if anything does.
void refuse_binary(std::string_view text, Problems& problems) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    return problems.add(0, "the file is UTF-16; save it as UTF-8");
  }
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f) {
      return problems.add(
          static_cast<std::uint32_t>(at),
          fmt::format("byte 0x{:02x} has no place in a text file; is this a binary file?", c));
    }
    const std::size_t length = utf8_length(text, at);
    if (length == 0) {
      return problems.add(static_cast<std::uint32_t>(at),
                          fmt::format("byte 0x{:02x} is not valid UTF-8; is this a binary file?", c));
    }
    at += length;
  }
}

}  // namespace

std::expected<model::Model, SiteErrors> parse_site(std::string_view text, const std::string& name) {
  if (text.size() > YamlTree::kMostBytes) {
    return whole_file(
        name, fmt::format("is larger than {} MiB, the limit for a site file", YamlTree::kMostBytes >> 20));
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // byte order mark
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return whole_file(name, "is empty; a site file begins with `sekimori: 1`");
  }
  Problems problems(text);
  refuse_binary(text, problems);
  if (!problems.empty()) return std::unexpected(std::move(problems).finish(name));
  const auto tree = YamlTree::parse(text, problems);
  if (!tree) return std::unexpected(std::move(problems).finish(name));
  if (tree->kind(tree->root()) != YamlTree::Kind::kMapping) {
    problems.add(tree->offset(tree->root()),
                 "this is no site file: it begins with `sekimori: 1` and has sections like "
                 "`hosts:` and `links:`");
    return std::unexpected(std::move(problems).finish(name));
  }
  model::Model model = SiteReader(*tree, problems).read(name);
  if (!problems.empty()) return std::unexpected(std::move(problems).finish(name));
  return model;
}

std::expected<model::Model, SiteErrors> load_site(const std::string& path) {
  const bool is_stdin = path == "-";
  const auto text = is_stdin ? read_all(std::cin) : read_file(path);
  const std::string name = is_stdin ? "(standard input)" : path;
  if (!text) return whole_file(name, text.error());
  return parse_site(*text, name);
}

}  // namespace sekimori::importers

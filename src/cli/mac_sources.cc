#include "cli/mac_sources.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/site.h"

namespace sekimori::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 31;

Step<std::string> read_text(const std::string& path) {
  std::error_code error;
  if (path == "-") return std::string{std::istreambuf_iterator<char>(std::cin), {}};
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return stop(kBadInput, fmt::format("{}: there is no such file.", path));
  if (fs::is_directory(status)) return stop(kBadInput, fmt::format("{}: is a folder; name its files.", path));
  const std::uintmax_t size = fs::is_regular_file(status) ? fs::file_size(path, error) : 0;
  if (size > kMostBytes) return stop(kBadInput, fmt::format("{}: is larger than 2 GiB.", path));
  std::ifstream file(path, std::ios::binary);
  std::string text(size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (size == 0) text.assign(std::istreambuf_iterator<char>(file), {});  // a pipe
  if (file.bad() || (!file && text.size() < size))
    return stop(kBadInput, fmt::format("{}: can't be read.", path));
  return text;
}

}  // namespace

Step<void> read_source(const std::string& path, macs::Inventory& inventory) {
  const std::string suffix = fs::path(path).extension().string();
  if (suffix == ".yaml" || suffix == ".yml" || suffix == ".json") {
    const auto model = load_site(path, {});
    if (!model) return std::unexpected(model.error());
    macs::read_model(*model, path, inventory);
    return {};
  }
  const auto text = read_text(path);
  if (!text) return std::unexpected(text.error());
  if (auto done = macs::read_inventory(*text, path == "-" ? "standard input" : path, inventory); !done)
    return stop(kBadInput, done.error().what);
  return {};
}

std::vector<std::string> omission_texts(const macs::Inventory& inventory, std::size_t most) {
  std::vector<std::string> lines;
  for (const macs::Omission& o : inventory.omissions) {
    if (lines.size() == most) break;
    lines.push_back(o.line == 0 ? fmt::format("{}: {}", o.source, o.what)
                                : fmt::format("{}:{}: {}", o.source, o.line, o.what));
  }
  if (inventory.omitted > lines.size())
    lines.push_back(fmt::format("{} more were left out.", inventory.omitted - lines.size()));
  return lines;
}

}  // namespace sekimori::cli

#include "cli/mac_sources.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "cli/sources.h"
#include "importers/problems.h"
#include "importers/site.h"

namespace sekimori::cli {
namespace {

using importers::SourceText;

bool has_suffix_of_a_site(const std::string& name) {
  const std::string suffix = std::filesystem::path(name).extension().string();
  return suffix == ".yaml" || suffix == ".yml" || suffix == ".json";
}

bool is_site(const SourceText& source) {
  return source.is_named && has_suffix_of_a_site(source.name) &&
         (source.text.starts_with("sekimori:") || source.text.contains("\nsekimori:") ||
          source.text.contains("\"sekimori\""));
}

Step<void> read_site(const SourceText& source, macs::Inventory& inventory) {
  const auto model = importers::parse_site(source.text, source.name);
  if (!model) return stop(kBadInput, model.error().text());
  macs::read_model(*model, source.name, inventory);
  return {};
}

bool looks_like_json(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '[' || text[first] == '{');
}

// A table of NICs makes records without a machine's facts in between: fleets are large.
bool read_table(const SourceText& source, macs::Inventory& inventory) {
  if (!looks_like_json(source.text)) {
    const auto table = importers::NicTable::of_csv(source.text);
    if (table) macs::read_rows(*table, source.name, inventory);
    return table.has_value();
  }
  std::optional<importers::DataTree::Damage> damage;
  const auto tree = importers::DataTree::json(source.text, damage);
  const auto table = importers::NicTable::of_json(tree.root());
  if (!table) return false;
  macs::read_rows(*table, source.name, inventory);
  if (damage) inventory.omit(source.name, damage->line, damage->what);
  return true;
}

class Reader {
 public:
  Step<void> read(SourceText source) {
    if (source.name == "(standard input)") source.name = "standard input";
    if (is_site(source)) return read_site(source, inventory);
    auto text = importers::readable(source.text);
    if (!text) {
      if (source.is_named) inventory.omit(source.name, 0, text.error());
      return {};
    }
    source.text = std::move(*text);
    if (macs::is_list_of_macs(source.text)) return source.is_named ? read_plain(source) : Step<void>();
    const std::string_view format = importers::format_of(source);
    if (!format.empty() && format != "inventory") {
      exports_.push_back(std::move(source));
      return {};
    }
    if (read_table(source, inventory) || !source.is_named) return {};
    return has_suffix_of_a_site(source.name) ? read_site(source, inventory) : read_plain(source);
  }

  // All exports at once: hosts tell where the guests of managers are plugged in.
  Step<void> finish() {
    if (exports_.empty()) return {};
    importers::Facts facts = importers::read_sources(exports_, {});
    for (const importers::Omission& o : facts.left_out)
      inventory.omit(facts.files[o.place.file], o.place.line, o.what);
    inventory.omitted += facts.left_out_more;
    // What the site cannot say of addresses and cables (merge adds it) is no MAC's concern.
    const importers::Draft draft = importers::merge(facts);
    if (draft.machines.empty()) return {};
    const auto model = importers::parse_site(importers::write_site(draft), "exports");
    if (!model) return stop(kFailed, model.error().text());
    macs::read_exports(facts, draft, *model, inventory);
    return {};
  }

  macs::Inventory inventory;

 private:
  Step<void> read_plain(const SourceText& source) {
    if (auto done = macs::read_inventory(source.text, source.name, inventory); !done)
      return stop(kBadInput, done.error().what);
    return {};
  }

  std::vector<SourceText> exports_;
};

}  // namespace

Step<macs::Inventory> read_inventories(const std::vector<std::string>& sources) {
  auto texts = gather(sources);
  if (!texts) return std::unexpected(texts.error());
  if (texts->empty()) return stop(kBadInput, fmt::format("{}: there are no files", fmt::join(sources, ", ")));
  return inventory_of(std::move(*texts));
}

Step<macs::Inventory> inventory_of(std::vector<SourceText> texts) {
  Reader reader;
  for (SourceText& text : texts) {
    if (auto done = reader.read(std::exchange(text, {})); !done) return std::unexpected(done.error());
  }
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  // "Clean" would be a lie about what nobody could read.
  if (reader.inventory.nics.empty() && reader.inventory.omitted > 0)
    return stop(kBadInput, fmt::format("nothing that can be read:\n  {}",
                                       fmt::join(omission_texts(reader.inventory, 10), "\n  ")));
  return std::move(reader.inventory);
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

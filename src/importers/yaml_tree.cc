#include "importers/yaml_tree.h"

#include <fmt/format.h>
#include <libfyaml.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <unordered_map>

namespace sekimori::importers {
namespace {

struct ParserDeleter {
  void operator()(fy_parser* p) const { fy_parser_destroy(p); }
};
struct DiagDeleter {
  void operator()(fy_diag* d) const { fy_diag_destroy(d); }
};

std::string_view token_text(fy_token* token) {
  std::size_t size = 0;
  const char* text = token != nullptr ? fy_token_get_text(token, &size) : nullptr;
  return text != nullptr ? std::string_view(text, size) : std::string_view();
}

bool is_null_word(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

}  // namespace

// Takes libfyaml's events and builds the tree. Containers that are still open are on a stack; when one
// closes, its items move from the common stack of pending items to their place.
class YamlTreeBuilder {
 public:
  YamlTreeBuilder(std::string_view text, Problems& problems) : problems_(problems) {
    tree_.file_ = text;
    // A guess: site files have a value to every six bytes. Memory that is reserved and not used costs
    // nothing, and growing step by step costs a copy and as many page faults again.
    constexpr std::size_t kBytesPerNode = 6;
    tree_.nodes_.reserve(text.size() / kBytesPerNode);
    tree_.items_.reserve(text.size() / kBytesPerNode);
  }

  std::optional<YamlTree> run();

 private:
  struct Open {
    NodeId node;
    std::size_t first_item;  // in pending_
    std::uint64_t weight;    // nodes in it, those behind aliases counted each time
    std::string anchor;
    bool has_merge;
  };
  struct Anchor {
    NodeId node;
    std::uint64_t weight;
    bool is_open;
  };

  using Kind = YamlTree::Kind;

  bool take(const fy_event& event);
  bool take_scalar(const fy_event_scalar_data& scalar);
  bool take_alias(fy_token* anchor);
  bool open(Kind kind, fy_token* start, fy_token* anchor, fy_token* tag);
  bool close();
  bool add_to_parent(NodeId node, std::uint64_t weight);
  bool merge_entries(std::size_t first_item);
  void refuse_duplicate_keys(std::size_t first_item);
  NodeId new_node(Kind kind, std::uint32_t offset);
  bool expects_key() const;
  std::uint32_t offset_of(fy_token* token);
  bool fail(std::uint32_t offset, std::string what);
  void report_syntax(fy_diag* diag);

  YamlTree tree_;
  Problems& problems_;
  std::vector<Open> open_;
  std::vector<NodeId> pending_;
  std::unordered_map<std::string, Anchor> anchors_;
  std::uint64_t alias_weight_ = 0;
  std::uint32_t last_offset_ = 0;
  bool has_document_ = false;
};

std::optional<YamlTree> YamlTree::parse(std::string_view text, Problems& problems) {
  return YamlTreeBuilder(text, problems).run();
}

std::string_view YamlTree::text(NodeId id) const {
  const Node& node = nodes_[id.index()];
  return (node.is_cooked ? std::string_view(cooked_) : file_).substr(node.begin, node.size);
}

std::span<const NodeId> YamlTree::items(NodeId id) const {
  const Node& node = nodes_[id.index()];
  if (kind(id) != Kind::kMapping && kind(id) != Kind::kSequence) return {};
  return std::span(items_).subspan(node.begin, node.size);
}

std::optional<YamlTree> YamlTreeBuilder::run() {
  fy_diag_cfg diag_config;
  fy_diag_cfg_default(&diag_config);
  diag_config.fp = nullptr;
  const std::unique_ptr<fy_diag, DiagDeleter> diag(fy_diag_create(&diag_config));
  fy_diag_set_collect_errors(diag.get(), true);
  fy_parse_cfg config{};
  config.flags =
      static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2);
  config.diag = diag.get();
  const std::unique_ptr<fy_parser, ParserDeleter> parser(fy_parser_create(&config));
  if (!parser || fy_parser_set_string(parser.get(), tree_.file_.data(), tree_.file_.size()) != 0) {
    fail(0, "the YAML parser could not be started (out of memory?)");
    return std::nullopt;
  }
  bool is_sound = true, is_complete = false;
  while (is_sound && !is_complete) {
    fy_event* event = fy_parser_parse(parser.get());
    if (event == nullptr) break;
    is_complete = event->type == FYET_STREAM_END;
    is_sound = take(*event);
    fy_parser_event_free(parser.get(), event);
  }
  if (is_sound && !is_complete) report_syntax(diag.get());
  if (!is_sound || !is_complete) return std::nullopt;
  if (!tree_.root_.valid()) tree_.root_ = new_node(Kind::kNull, 0);
  return std::move(tree_);
}

// Answers false when the file is refused.
bool YamlTreeBuilder::take(const fy_event& event) {
  switch (event.type) {
    case FYET_DOCUMENT_START:
      if (has_document_)
        return fail(offset_of(event.document_start.document_start),
                    "a second YAML document begins here; a site is one document");
      has_document_ = true;
      return true;
    case FYET_SCALAR:
      return take_scalar(event.scalar);
    case FYET_ALIAS:
      return take_alias(event.alias.anchor);
    case FYET_MAPPING_START:
      return open(Kind::kMapping, event.mapping_start.mapping_start, event.mapping_start.anchor,
                  event.mapping_start.tag);
    case FYET_SEQUENCE_START:
      return open(Kind::kSequence, event.sequence_start.sequence_start, event.sequence_start.anchor,
                  event.sequence_start.tag);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
      return close();
    default:
      return true;
  }
}

bool YamlTreeBuilder::take_scalar(const fy_event_scalar_data& scalar) {
  std::uint32_t offset = offset_of(scalar.value);
  if (scalar.tag != nullptr)
    return fail(offset_of(scalar.tag), "YAML tags (\"!...\") have no meaning in a site file");
  const std::string_view text = token_text(scalar.value);
  if (text.size() > YamlTree::kLongestScalar) {
    return fail(offset, fmt::format("this text is {} bytes long; a site file has none longer than {} KiB",
                                    text.size(), YamlTree::kLongestScalar / 1024));
  }
  const bool is_plain = fy_token_scalar_style(scalar.value) == FYSS_PLAIN;
  const bool is_after_quote =
      !is_plain && offset > 0 && (tree_.file_[offset - 1] == '"' || tree_.file_[offset - 1] == '\'');
  if (is_after_quote) --offset;
  const bool is_null = is_plain && is_null_word(text);
  const NodeId id = new_node(is_null ? Kind::kNull : is_plain ? Kind::kScalar : Kind::kQuoted, offset);
  YamlTree::Node& node = tree_.nodes_[id.index()];
  const std::string_view file = tree_.file_;
  const bool is_in_file = !std::less<>()(text.data(), file.data()) &&
                          !std::less<>()(file.data() + file.size(), text.data() + text.size());
  node.size = static_cast<std::uint32_t>(text.size()) & 0xfff'ffff;
  node.is_cooked = !is_in_file;
  node.begin = static_cast<std::uint32_t>(is_in_file ? text.data() - file.data() : tree_.cooked_.size());
  if (!is_in_file) tree_.cooked_ += text;
  if (scalar.anchor != nullptr) anchors_[std::string(token_text(scalar.anchor))] = {id, 1, false};
  return add_to_parent(id, 1);
}

bool YamlTreeBuilder::take_alias(fy_token* token) {
  const std::uint32_t offset = offset_of(token);
  const std::string_view name = token_text(token);
  const auto anchor = anchors_.find(std::string(name));
  if (anchor == anchors_.end()) {
    return fail(offset, fmt::format("*{0} refers to nothing; no &{0} stands above it", name));
  }
  if (anchor->second.is_open)
    return fail(offset, fmt::format("*{} stands inside of what it refers to", name));
  alias_weight_ += anchor->second.weight;
  if (alias_weight_ > YamlTree::kAliasBudget) {
    return fail(
        offset,
        fmt::format("aliases (\"*{}\") multiply this file to more than {} values; write it with fewer "
                    "of them, or with `count`",
                    name, YamlTree::kAliasBudget));
  }
  return add_to_parent(anchor->second.node, anchor->second.weight);
}

bool YamlTreeBuilder::open(Kind kind, fy_token* start, fy_token* anchor, fy_token* tag) {
  const std::uint32_t offset = offset_of(start);
  if (tag != nullptr) return fail(offset_of(tag), "YAML tags (\"!...\") have no meaning in a site file");
  if (open_.size() >= YamlTree::kMostDepth) {
    return fail(offset, fmt::format("nested more than {} levels deep; a site file needs about ten",
                                    YamlTree::kMostDepth));
  }
  if (expects_key()) return fail(offset, "a key must be a word, found a list or mapping");
  const NodeId id = new_node(kind, offset);
  std::string name(token_text(anchor));
  if (!name.empty()) anchors_[name] = {id, 0, true};
  open_.push_back({id, pending_.size(), 1, std::move(name), false});
  return true;
}

bool YamlTreeBuilder::close() {
  const Open done = std::move(open_.back());
  open_.pop_back();
  const bool is_mapping = tree_.kind(done.node) == Kind::kMapping;
  if (is_mapping) {
    refuse_duplicate_keys(done.first_item);
    if (done.has_merge && !merge_entries(done.first_item)) return false;
  }
  YamlTree::Node& node = tree_.nodes_[done.node.index()];
  node.begin = static_cast<std::uint32_t>(tree_.items_.size());
  node.size = static_cast<std::uint32_t>(pending_.size() - done.first_item) & 0xfff'ffff;
  tree_.items_.insert(tree_.items_.end(), pending_.begin() + static_cast<std::ptrdiff_t>(done.first_item),
                      pending_.end());
  pending_.resize(done.first_item);
  if (!done.anchor.empty()) anchors_[done.anchor] = {done.node, done.weight, false};
  return add_to_parent(done.node, done.weight);
}

bool YamlTreeBuilder::add_to_parent(NodeId node, std::uint64_t weight) {
  if (tree_.nodes_.size() > YamlTree::kMostNodes) {
    return fail(tree_.offset(node), fmt::format("the file has more than {} values", YamlTree::kMostNodes));
  }
  if (open_.empty()) {
    tree_.root_ = node;
    return true;
  }
  if (expects_key()) {
    if (!tree_.is_text(node))
      return fail(tree_.offset(node), "a key must be a word; this one is empty or a list");
    if (tree_.kind(node) == Kind::kScalar && tree_.text(node) == "<<") open_.back().has_merge = true;
  }
  pending_.push_back(node);
  open_.back().weight += weight;
  return true;
}

// Replaces `<<` entries by the entries they bring along. What is written in the mapping itself wins, then the
// earlier of the merged ones (YAML 1.1 merge key type).
bool YamlTreeBuilder::merge_entries(std::size_t first_item) {
  std::vector<NodeId> own, merged;
  for (std::size_t i = first_item; i < pending_.size(); i += 2) {
    const NodeId key = pending_[i], value = pending_[i + 1];
    if (tree_.kind(key) != Kind::kScalar || tree_.text(key) != "<<") {
      own.insert(own.end(), {key, value});
      continue;
    }
    const bool is_list = tree_.kind(value) == Kind::kSequence;
    for (const NodeId source : is_list ? tree_.items(value) : std::span(&value, 1)) {
      if (tree_.kind(source) != Kind::kMapping)
        return fail(tree_.offset(key), "`<<` needs a mapping, as in `<<: *name`");
      const auto entries = tree_.items(source);
      merged.insert(merged.end(), entries.begin(), entries.end());
    }
  }
  std::unordered_map<std::string_view, bool> known;
  for (std::size_t i = 0; i < own.size(); i += 2) known.emplace(tree_.text(own[i]), true);
  for (std::size_t i = 0; i < merged.size(); i += 2) {
    if (known.emplace(tree_.text(merged[i]), true).second) own.insert(own.end(), {merged[i], merged[i + 1]});
  }
  pending_.resize(first_item);
  pending_.insert(pending_.end(), own.begin(), own.end());
  return true;
}

// Of two entries with one key the first stays, so that the second is reported once and not by every reader.
void YamlTreeBuilder::refuse_duplicate_keys(std::size_t first_item) {
  constexpr std::size_t kFew = 16;  // up to so many, comparing with each beats hashing
  const bool is_large = pending_.size() - first_item > 2 * kFew;
  std::unordered_map<std::string_view, NodeId> seen;
  if (is_large) seen.reserve((pending_.size() - first_item) / 2);
  std::size_t kept = first_item;
  for (std::size_t i = first_item; i < pending_.size(); i += 2) {
    const NodeId key = pending_[i];
    NodeId first;
    if (is_large) {
      const auto [entry, is_new] = seen.emplace(tree_.text(key), key);
      if (!is_new) first = entry->second;
    } else {
      for (std::size_t j = first_item; j < kept && !first.valid(); j += 2) {
        if (tree_.text(pending_[j]) == tree_.text(key)) first = pending_[j];
      }
    }
    if (!first.valid()) {
      pending_[kept] = key;
      pending_[kept + 1] = pending_[i + 1];
      kept += 2;
    } else if (!problems_.overflows()) {
      problems_.add(tree_.offset(key),
                    fmt::format("'{}' stands twice in this mapping; first in line {}", tree_.text(key),
                                problems_.lines().line(tree_.offset(first))));
    }
  }
  pending_.resize(kept);
}

NodeId YamlTreeBuilder::new_node(Kind kind, std::uint32_t offset) {
  tree_.nodes_.push_back({offset, 0, 0, static_cast<std::uint32_t>(kind) & 7, 0});
  return NodeId(tree_.nodes_.size() - 1);
}

bool YamlTreeBuilder::expects_key() const {
  return !open_.empty() && tree_.kind(open_.back().node) == Kind::kMapping &&
         (pending_.size() - open_.back().first_item) % 2 == 0;
}

// Empty values have no token; they are placed where the last one was.
std::uint32_t YamlTreeBuilder::offset_of(fy_token* token) {
  const fy_mark* mark = token != nullptr ? fy_token_start_mark(token) : nullptr;
  if (mark != nullptr) last_offset_ = static_cast<std::uint32_t>(mark->input_pos);
  return last_offset_;
}

bool YamlTreeBuilder::fail(std::uint32_t offset, std::string what) {
  problems_.add(offset, std::move(what));
  return false;
}

void YamlTreeBuilder::report_syntax(fy_diag* diag) {
  void* next = nullptr;
  bool is_told = false;
  while (const fy_diag_error* error = fy_diag_errors_iterate(diag, &next)) {
    if (error->type != FYET_ERROR || error->msg == nullptr) continue;
    problems_.add_at(
        {static_cast<unsigned>(std::max(error->line, 1)), static_cast<unsigned>(std::max(error->column, 1))},
        fmt::format("not valid YAML: {}", error->msg));
    is_told = true;
  }
  if (!is_told) fail(last_offset_, "not valid YAML from about here on");
}

}  // namespace sekimori::importers

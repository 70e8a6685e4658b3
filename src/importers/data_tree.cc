#include "importers/data_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>

#include "importers/problems.h"
#include "importers/yaml_tree.h"

namespace sekimori::importers {

// ---------------------------------------------------------------- asking

Data::Kind Data::kind() const { return tree_ == nullptr ? Kind::kNothing : tree_->nodes_[index_].kind; }

std::string_view Data::text() const {
  const Kind k = kind();
  if (k != Kind::kText && k != Kind::kNumber && k != Kind::kBool) return {};
  const DataTree::Node& node = tree_->nodes_[index_];
  return std::string_view(tree_->pool_).substr(node.text, node.text_size);
}

std::optional<std::int64_t> Data::integer() const {
  const std::string_view written = text();
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(written.data(), written.data() + written.size(), value);
  if (error != std::errc() || stop != written.data() + written.size()) return std::nullopt;
  return value;
}

bool Data::flag(bool otherwise) const {
  const std::string_view written = text();
  if (written == "true" || written == "1" || written == "on" || written == "yes") return true;
  if (written == "false" || written == "0" || written == "off" || written == "no") return false;
  return otherwise;
}

std::string_view Data::key() const {
  if (tree_ == nullptr) return {};
  const DataTree::Node& node = tree_->nodes_[index_];
  return std::string_view(tree_->pool_).substr(node.key, node.key_size);
}

std::uint32_t Data::line() const { return tree_ == nullptr ? 0 : tree_->nodes_[index_].line; }

Data Data::operator[](std::string_view key) const {
  if (!is_map()) return {};
  for (const Data value : *this) {
    if (value.key() == key) return value;
  }
  return {};
}

Data::Iterator& Data::Iterator::operator++() {
  index_ = tree_->nodes_[index_].next;
  return *this;
}

Data::Iterator Data::begin() const {
  const bool has = is_list() || is_map();
  return {tree_, has ? tree_->nodes_[index_].first : 0};
}

// ---------------------------------------------------------------- building

class DataTreeBuilder {
 public:
  using Kind = Data::Kind;

  // False when a bound is broken.
  bool add(Kind kind, std::string_view text, std::uint32_t line) {
    if (tree_.nodes_.size() >= DataTree::kMostNodes ||
        tree_.pool_.size() + text.size() > DataTree::kMostBytes)
      return refuse(line, "it has more values than any export needs");
    DataTree::Node node;
    node.key = key_;
    node.key_size = key_size_;
    node.text = static_cast<std::uint32_t>(tree_.pool_.size());
    node.text_size = static_cast<std::uint32_t>(text.size());
    node.line = line;
    node.kind = kind;
    tree_.pool_ += text;
    key_size_ = 0;
    const auto index = static_cast<std::uint32_t>(tree_.nodes_.size());
    tree_.nodes_.push_back(node);
    if (!open_.empty()) {
      Open& parent = open_.back();
      (parent.last == 0 ? tree_.nodes_[parent.node].first : tree_.nodes_[parent.last].next) = index;
      parent.last = index;
    }
    return true;
  }
  bool open(Kind kind, std::uint32_t line) {
    if (open_.size() >= DataTree::kMostDepth) return refuse(line, "it is nested too deeply");
    if (!add(kind, {}, line)) return false;
    open_.push_back({static_cast<std::uint32_t>(tree_.nodes_.size() - 1), 0});
    return true;
  }
  void close() { open_.pop_back(); }
  void key(std::string_view text) {
    key_ = static_cast<std::uint32_t>(tree_.pool_.size());
    key_size_ = static_cast<std::uint32_t>(text.size());
    tree_.pool_ += text;
  }
  bool refuse(std::uint32_t line, std::string what) {
    if (!damage_) damage_ = DataTree::Damage{line, std::move(what)};
    return false;
  }
  std::size_t depth() const { return open_.size(); }
  const std::optional<DataTree::Damage>& damage() const { return damage_; }

  // A value that was cut off says less than it meant, so what was open in a list at the end is dropped: the
  // last machine of a list, not the list.
  void drop_unfinished() {
    for (std::size_t depth = 1; depth < open_.size(); ++depth) {
      DataTree::Node& parent = tree_.nodes_[open_[depth - 1].node];
      if (parent.kind != Kind::kList) continue;
      const std::uint32_t unfinished = open_[depth].node;
      if (parent.first == unfinished) {
        parent.first = 0;
      } else {
        std::uint32_t before = parent.first;
        while (tree_.nodes_[before].next != unfinished) before = tree_.nodes_[before].next;
        tree_.nodes_[before].next = 0;
      }
      return;
    }
  }
  DataTree finish() && { return std::move(tree_); }

 private:
  struct Open {
    std::uint32_t node, last;
  };
  DataTree tree_;
  std::vector<Open> open_;
  std::uint32_t key_ = 0, key_size_ = 0;
  std::optional<DataTree::Damage> damage_;
};

namespace {

// Counts the lines while nlohmann's lexer walks over the text. Copies of an iterator share the count.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::uint32_t* line) : at_(at), line_(line) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    if (*at_ == '\n') ++*line_;
    ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  std::uint32_t* line_;
};

// The events of nlohmann's reader (json_sax_t).
class JsonEvents {
 public:
  using Json = nlohmann::json;
  using Kind = Data::Kind;

  JsonEvents(DataTreeBuilder& build, const std::uint32_t& line, std::size_t size)
      : build_(build), line_(line), size_(size) {}

  bool null() { return build_.add(Kind::kNull, {}, line_); }
  bool boolean(bool value) { return build_.add(Kind::kBool, value ? "true" : "false", line_); }
  bool number_integer(Json::number_integer_t value) { return number(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return number(value); }
  bool number_float(Json::number_float_t, const std::string& text) {
    return build_.add(Kind::kNumber, text, line_);
  }
  bool string(const std::string& text) { return build_.add(Kind::kText, text, line_); }
  bool binary(const Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return build_.open(Kind::kMap, line_); }
  bool end_object() { return close(); }
  bool start_array(std::size_t) { return build_.open(Kind::kList, line_); }
  bool end_array() { return close(); }
  bool key(const std::string& text) {
    build_.key(text);
    return true;
  }
  // nlohmann's own message names tokens and byte numbers; a line and the text there say more.
  bool parse_error(std::size_t at, const std::string& last, const Json::exception&) {
    if (at >= size_) return build_.refuse(line_, "it ends too early");
    constexpr std::size_t kShown = 30;
    return build_.refuse(line_, fmt::format("it is damaged near '{}'", last.substr(0, kShown)));
  }

 private:
  bool number(auto value) { return build_.add(Kind::kNumber, fmt::format("{}", value), line_); }
  bool close() {
    build_.close();
    return true;
  }

  DataTreeBuilder& build_;
  const std::uint32_t& line_;
  std::size_t size_;
};

// Aliases are written out, within the bounds of the builder.
bool copy(const YamlTree& yaml, const LineIndex& lines, std::uint32_t first_line, NodeId node,
          DataTreeBuilder& build) {
  const std::uint32_t line = lines.line(yaml.offset(node)) + first_line - 1;
  switch (yaml.kind(node)) {
    case YamlTree::Kind::kNull:
      return build.add(Data::Kind::kNull, {}, line);
    case YamlTree::Kind::kScalar:
    case YamlTree::Kind::kQuoted:
      return build.add(Data::Kind::kText, yaml.text(node), line);
    case YamlTree::Kind::kSequence:
      break;
    case YamlTree::Kind::kMapping:
      break;
  }
  const bool is_map = yaml.kind(node) == YamlTree::Kind::kMapping;
  if (!build.open(is_map ? Data::Kind::kMap : Data::Kind::kList, line)) return false;
  const auto items = yaml.items(node);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (is_map) {
      build.key(yaml.is_text(items[i]) ? yaml.text(items[i]) : std::string_view());
      ++i;
    }
    if (!copy(yaml, lines, first_line, items[i], build)) return false;
  }
  build.close();
  return true;
}

}  // namespace

DataTree DataTree::json(std::string_view text, std::optional<Damage>& damage) {
  DataTreeBuilder build;
  std::uint32_t line = 1;
  JsonEvents events(build, line, text.size());
  const CountingIterator begin(text.begin(), &line), end(text.end(), &line);
  if (!nlohmann::json::sax_parse(begin, end, &events)) {
    damage = build.damage();
    if (!damage) damage = Damage{line, "it is damaged"};
    build.drop_unfinished();
  }
  return std::move(build).finish();
}

DataTree DataTree::yaml(std::string_view text, std::uint32_t first_line, std::optional<Damage>& damage) {
  DataTreeBuilder build;
  Problems problems(text);
  const auto yaml = YamlTree::parse(text, problems);
  if (!yaml) {
    const SiteErrors errors = std::move(problems).finish({});
    const Problem problem = errors.problems.empty() ? Problem{} : errors.problems.front();
    damage = Damage{problem.line + first_line - 1, problem.what};
    return {};
  }
  const LineIndex lines(text);
  if (!copy(*yaml, lines, first_line, yaml->root(), build)) damage = build.damage();
  return std::move(build).finish();
}

}  // namespace sekimori::importers

// A YAML file as a compact tree with positions. libfyaml scans and parses; its own document tree is not used,
// because it takes 3.5 KB for a guest of 60 bytes. Here a node is 12 bytes plus 4 in its parent's list, and
// text stays where it is in the file.
//
// An alias is a second reference to the node it names, and `<<: *other` adds the other mapping's entries that
// are not written in this one; nothing is copied. What aliases multiply is counted as if it were written out,
// and a file that goes beyond the budget (a "billion laughs") is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "importers/problems.h"

namespace sekimori::importers {

using NodeId = base::Id<struct YamlNodeTag>;

class YamlTree {
 public:
  enum class Kind : std::uint8_t { kNull, kScalar, kQuoted, kSequence, kMapping };

  // Bounds that no site file needs to reach.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  static constexpr std::size_t kMostNodes = 64'000'000;
  static constexpr std::size_t kMostDepth = 64;
  static constexpr std::size_t kLongestScalar = std::size_t{64} * 1024;
  static constexpr std::uint64_t kAliasBudget = 16'000'000;  // nodes that aliases stand for

  // `text` must outlive the tree. When it is no YAML, or breaks a bound, `problems` says so and there is no
  // tree.
  static std::optional<YamlTree> parse(std::string_view text, Problems& problems);

  NodeId root() const { return root_; }
  Kind kind(NodeId id) const { return static_cast<Kind>(nodes_[id.index()].kind); }
  bool is_text(NodeId id) const { return kind(id) == Kind::kScalar || kind(id) == Kind::kQuoted; }
  // Of a scalar; quotes and escapes are resolved.
  std::string_view text(NodeId id) const;
  // Of a sequence its items; of a mapping key, value, key, value, ... in the order of the file; of others
  // none.
  std::span<const NodeId> items(NodeId id) const;
  // Byte offset in the text.
  std::uint32_t offset(NodeId id) const { return nodes_[id.index()].offset; }

 private:
  friend class YamlTreeBuilder;
  struct Node {
    std::uint32_t offset;
    std::uint32_t begin;      // of text: in the file, or in cooked_; of items: in items_
    std::uint32_t size : 28;  // bytes of text, or number of items
    std::uint32_t kind : 3;
    std::uint32_t is_cooked : 1;
  };

  std::string_view file_;
  std::vector<Node> nodes_;
  std::vector<NodeId> items_;
  std::string cooked_;  // text that is not in the file as such: escapes, folded lines
  NodeId root_;
};

}  // namespace sekimori::importers

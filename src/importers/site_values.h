// Typed readers of single values. Each takes a node and its bounds, tells Problems what is wrong, and answers
// nothing then; an absent key (an invalid node) answers nothing and is no problem.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rate.h"
#include "base/time.h"
#include "importers/problems.h"
#include "importers/site_keys.h"
#include "importers/yaml_tree.h"
#include "model/model.h"
#include "wire/mac_kinds.h"

namespace sekimori::importers {

template <class T>
struct Bounds {
  std::string_view what;  // "ageing"
  T least, most;
};

// The bounds are generous: beyond them a value is a slip of the pen, not a network.
constexpr base::Duration kLongestTime = base::seconds(30L * 86'400);
constexpr std::int64_t kMostMachines = 4'000'000;
constexpr Bounds<base::Duration> kAgeingBounds{"ageing", base::Duration{0}, kLongestTime};
constexpr Bounds<base::Duration> kDelayBounds{"delay", base::Duration{0}, base::seconds(60)};
constexpr Bounds<base::Duration> kAtBounds{"at", base::Duration{0}, kLongestTime};
constexpr Bounds<base::BitRate> kRateBounds{"rate", {1}, base::gbit(10'000)};
constexpr Bounds<std::int64_t> kQueueBounds{"queue", 1'600, std::int64_t{1} << 30};
constexpr Bounds<std::int64_t> kTableBounds{"table-size", 0, 1 << 24};
constexpr Bounds<std::int64_t> kMacLimitBounds{"mac-limit", 0, 1 << 24};
constexpr Bounds<std::int64_t> kVlanBounds{"VLAN", 1, 4094};
constexpr Bounds<std::int64_t> kPriorityBounds{"priority", 0, 65'535};
constexpr Bounds<std::int64_t> kCountBounds{"count", 1, kMostMachines};
constexpr Bounds<std::int64_t> kMemoryBounds{"memory", 16 << 20, std::int64_t{1} << 40};

using wire::MacRange;

// A mapping whose keys are those of a section. Unknown ones are reported when it is made.
class Fields {
 public:
  NodeId operator[](std::string_view key) const;
  bool has(std::string_view key) const { return (*this)[key].valid(); }
  NodeId node() const { return node_; }

 private:
  friend class Values;
  Fields(const YamlTree& tree, NodeId node) : tree_(&tree), node_(node) {}
  const YamlTree* tree_;
  NodeId node_;  // invalid: nothing written
};

class Values {
 public:
  using Kind = YamlTree::Kind;

  Values(const YamlTree& tree, Problems& problems) : tree_(tree), problems_(problems) {}

  const YamlTree& tree() const { return tree_; }
  std::string_view text(NodeId node) const { return tree_.text(node); }
  model::SourceLine line(NodeId node) const { return problems_.lines().line(tree_.offset(node)); }
  void wrong(NodeId node, std::string what) { problems_.add(tree_.offset(node), std::move(what)); }

  // "'24' is ...": what a node holds, in few words.
  std::string found(NodeId node) const;
  // ", did you mean 'x'?" or "; there are a, b and c" or nothing.
  std::string hint(std::string_view word, const std::vector<std::string_view>& known) const;

  // Nothing written (null) is an empty mapping.
  Fields fields(NodeId node, const Section& section);
  // Where nothing written is a mistake; `example` says what was expected.
  Fields fields(NodeId node, const Section& section, std::string_view example);
  // name -> value, as in `hosts`; empty when it is something else, which is reported.
  struct Entry {
    NodeId name, value;
  };
  std::vector<Entry> entries(NodeId node, std::string_view what);
  // A list; a single value counts as a list of one when `is_lenient`.
  std::vector<NodeId> list(NodeId node, std::string_view what, bool is_lenient = false);

  std::optional<std::string_view> word(NodeId node, std::string_view what);
  // A name that others refer to: no space, no ':' and no '/'.
  bool is_name(NodeId node, std::string_view what);
  std::optional<bool> flag(NodeId node, std::string_view what);
  std::optional<std::int64_t> integer(NodeId node, const Bounds<std::int64_t>& bounds);
  std::optional<base::Duration> duration(NodeId node, const Bounds<base::Duration>& bounds);
  std::optional<base::BitRate> rate(NodeId node, const Bounds<base::BitRate>& bounds = kRateBounds);
  std::optional<std::int64_t> bytes(NodeId node, const Bounds<std::int64_t>& bounds);
  std::optional<model::Ipv4> address(NodeId node, std::string_view what);
  std::optional<model::Ipv4Prefix> interface_address(NodeId node, std::string_view what);
  std::optional<model::Ipv4Prefix> network(NodeId node, std::string_view what);
  std::optional<model::Mac> mac(NodeId node);
  // "02:00:00:00:00:00-02:00:00:00:00:ff" or "02:00:00:00:00:00/40"
  std::optional<MacRange> mac_range(NodeId node);
  std::optional<model::VlanSet> vlan_set(NodeId node);

  // The index of a word in a list of choices.
  std::optional<std::size_t> choice(NodeId node, std::string_view what,
                                    std::initializer_list<std::string_view> choices);

 private:
  template <class T, class Parse, class Write>
  std::optional<T> quantity(NodeId node, const Bounds<T>& bounds, std::string_view unit, Parse parse,
                            Write write);
  std::optional<std::int64_t> vlan_number(NodeId node, std::string_view text);

  const YamlTree& tree_;
  Problems& problems_;
};

template <class T, class U>
void set(T& target, const std::optional<U>& value) {
  if (value) target = static_cast<T>(*value);
}

}  // namespace sekimori::importers

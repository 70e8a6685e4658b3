// JSON and YAML as one compact tree with line numbers. nlohmann's reader is used for its events only, as its
// own document keeps no positions and a damaged text leaves nothing of it. Here what was complete before the
// damage stays: an export that was cut off still tells of the machines before the cut.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sekimori::importers {

class DataTree;

// A value in the tree, or nothing: what is asked of nothing is empty, so that optional parts of an export are
// read without asking for them first.
class Data {
 public:
  enum class Kind : std::uint8_t { kNothing, kNull, kBool, kNumber, kText, kList, kMap };

  Data() = default;
  Data(const DataTree* tree, std::uint32_t index) : tree_(tree), index_(index) {}

  Kind kind() const;
  explicit operator bool() const { return kind() != Kind::kNothing && kind() != Kind::kNull; }
  bool is_text() const { return kind() == Kind::kText; }
  bool is_list() const { return kind() == Kind::kList; }
  bool is_map() const { return kind() == Kind::kMap; }
  std::string_view text() const;  // of text, numbers and booleans, as written; else empty
  std::optional<std::int64_t> integer() const;
  std::int64_t integer_or(std::int64_t otherwise) const { return integer().value_or(otherwise); }
  bool flag(bool otherwise = false) const;
  std::string_view key() const;  // when it is in a map
  std::uint32_t line() const;
  Data operator[](std::string_view key) const;

  // Walks the items of a list or the values of a map.
  class Iterator {
   public:
    Iterator(const DataTree* tree, std::uint32_t index) : tree_(tree), index_(index) {}
    Data operator*() const { return {tree_, index_}; }
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const DataTree* tree_;
    std::uint32_t index_;
  };
  Iterator begin() const;
  Iterator end() const { return {tree_, 0}; }

 private:
  const DataTree* tree_ = nullptr;
  std::uint32_t index_ = 0;
};

class DataTree {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  static constexpr std::size_t kMostNodes = 64'000'000;
  static constexpr std::size_t kMostDepth = 64;

  struct Damage {
    std::uint32_t line = 0;
    std::string what;
  };

  // What is complete of it; `damage` says what is wrong with the rest.
  static DataTree json(std::string_view text, std::optional<Damage>& damage);
  // One document of a YAML stream; `first_line` is where it begins.
  static DataTree yaml(std::string_view text, std::uint32_t first_line, std::optional<Damage>& damage);

  Data root() const { return nodes_.size() < 2 ? Data() : Data(this, 1); }

 private:
  friend class Data;
  friend class DataTreeBuilder;
  struct Node {
    std::uint32_t key = 0, key_size = 0;  // in pool_
    std::uint32_t text = 0, text_size = 0;
    std::uint32_t first = 0, next = 0;  // index of the first child, of the next sibling; 0: none
    std::uint32_t line = 0;
    Data::Kind kind = Data::Kind::kNothing;
  };
  std::vector<Node> nodes_{Node{}};  // the first stands for nothing
  std::string pool_;
};

}  // namespace sekimori::importers

// The documentation holds: the schema knows the reader's keys, and every example loads.
#include "importers/site_keys.h"
#include "importers/test_support.h"
#include "importers/yaml_tree.h"

namespace sekimori::importers {
namespace {

class Schema {
 public:
  Schema()
      : text_(read_text("docs/site-file.schema.json")),
        problems_(text_),
        tree_(YamlTree::parse(text_, problems_)) {}

  bool is_read() const { return tree_.has_value(); }
  NodeId get(NodeId node, std::string_view key) const {
    const auto items = tree_->items(node);
    for (std::size_t i = 0; i < items.size(); i += 2) {
      if (tree_->text(items[i]) == key) return items[i + 1];
    }
    return {};
  }
  std::vector<std::string> keys(NodeId node) const {
    std::vector<std::string> result;
    const auto items = tree_->items(node);
    for (std::size_t i = 0; i < items.size(); i += 2) result.emplace_back(tree_->text(items[i]));
    return result;
  }
  // The properties of a definition, or of the mapping among its alternatives.
  NodeId properties(std::string_view section) const {
    const NodeId definition = get(get(tree_->root(), "$defs"), section);
    if (!definition.valid()) return {};
    if (const NodeId own = get(definition, "properties"); own.valid()) return own;
    for (const NodeId choice : tree_->items(get(definition, "anyOf"))) {
      if (const NodeId inner = get(choice, "properties"); inner.valid()) return inner;
    }
    return {};
  }

 private:
  std::string text_;
  Problems problems_;
  std::optional<YamlTree> tree_;
};

TEST(SiteDocs, TheSchemaKnowsTheReadersKeys) {
  const Schema schema;
  ASSERT_TRUE(schema.is_read());
  for (const Section& section : sections::kAll) {
    const NodeId properties = schema.properties(section.name);
    ASSERT_TRUE(properties.valid()) << section.name;
    const std::vector<std::string> known(section.keys.begin(), section.keys.end());
    EXPECT_THAT(schema.keys(properties), testing::UnorderedElementsAreArray(known)) << section.name;
  }
}

TEST(SiteDocs, EveryExampleLoads) {
  const std::string text = read_text("docs/site-file.md");
  constexpr std::string_view kBegin = "```yaml\n", kEnd = "```";
  int examples = 0;
  for (std::size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at)) {
    at += kBegin.size();
    const std::string example = text.substr(at, text.find(kEnd, at) - at);
    const auto site = parse_site(example, "docs/site-file.md");
    EXPECT_TRUE(site) << (site ? "" : site.error().text());
    ++examples;
  }
  EXPECT_GE(examples, 13);
}

TEST(SiteDocs, EveryKeyIsExplained) {
  const std::string text = read_text("docs/site-file.md");
  for (const Section& section : sections::kAll) {
    for (const std::string_view key : section.keys)
      EXPECT_TRUE(text.contains(key)) << section.name << ": " << key;
  }
}

}  // namespace
}  // namespace sekimori::importers

// Flows of Open vSwitch as `ovs-ofctl dump-flows` prints them (ovs-ofctl(8), ovs-fields(7), ovs-actions(7)).
#include <algorithm>
#include <charconv>

#include "importers/ovs_tables.h"
#include "wire/mac.h"

namespace sekimori::importers {

std::optional<std::int64_t> ovs_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

namespace {

// Splits at commas and blanks outside of quotes and parentheses.
std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const char c = at == text.size() ? ',' : text[at];
    if (c == '"') quoted = !quoted;
    if (c == '(') ++depth;
    if (c == ')') --depth;
    const bool is_end = at == text.size() || ((c == ',' || c == ' ' || c == '\t') && depth <= 0 && !quoted);
    if (!is_end) continue;
    if (at > begin) parts.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  return parts;
}

std::string_view unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text;
}

// What a flow tells of itself beside what it matches (ovs-ofctl(8), "Flow Syntax" and dump-flows).
bool is_about_the_flow(std::string_view key) {
  constexpr std::string_view kKeys[] = {
      "cookie",         "duration",      "n_packets",     "n_bytes",      "idle_age",
      "hard_age",       "idle_timeout",  "hard_timeout",  "reset_counts", "no_packet_counts",
      "no_byte_counts", "send_flow_rem", "check_overlap", "importance",   "flags"};
  return std::ranges::find(kKeys, key) != std::end(kKeys);
}

bool read_match(std::string_view key, std::string_view value, OvsFlow& flow) {
  FlowRuleFacts& rule = flow.rule;
  if (key == "in_port") {
    rule.in = unquoted(value);
    return !rule.in.empty();
  }
  if (key == "dl_dst" || key == "eth_dst") {
    rule.destination = wire::parse_mac(value);
    return rule.destination && !rule.destination->is_group() && !rule.destination->is_zero();
  }
  if (key == "arp" || (key == "dl_type" && value == "0x0806")) {
    rule.type = model::FlowRuleType::kArp;
  } else if (key == "ip" || (key == "dl_type" && value == "0x0800")) {
    rule.type = model::FlowRuleType::kIp;
  } else {
    return is_about_the_flow(key);
  }
  return true;
}

bool read_action(std::string_view action, FlowRuleFacts& rule) {
  if (action == "drop") return true;
  if (action == "NORMAL") return rule.normal = true;
  if (action.starts_with("output:")) action.remove_prefix(7);
  const bool is_port = action == "LOCAL" || action.starts_with('"') || ovs_number(action).has_value();
  if (is_port) rule.out.emplace_back(unquoted(action));
  return is_port;
}

}  // namespace

OvsFlow read_ovs_flow(std::string_view line) {
  OvsFlow flow;
  const std::size_t actions = line.find("actions=");
  for (const std::string_view part : parts_of(line.substr(0, actions))) {
    const std::size_t equals = part.find('=');
    const std::string_view key = part.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    if (key == "table") {
      flow.table = ovs_number(value).value_or(-1);
    } else if (key == "priority") {
      flow.priority = ovs_number(value).value_or(0);
    } else {
      flow.is_readable &= read_match(key, value, flow);
    }
  }
  for (const std::string_view action : parts_of(line.substr(actions + 8)))
    flow.is_readable &= read_action(action, flow.rule);
  return flow;
}

}  // namespace sekimori::importers

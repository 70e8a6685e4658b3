// What the consoles of switches print: `show mac address-table` and `show lldp neighbors`, as Cisco IOS and
// NX-OS and Arista EOS have them. Sources: Cisco IOS LAN Switching Command Reference ("show mac
// address-table"), Cisco IOS Cisco Discovery and LLDP Command Reference ("show lldp neighbors"), Arista EOS
// User Manual (same commands). The name of the switch is that of the prompt, else that of the file.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "importers/formats.h"
#include "importers/lines.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A row of a table begins with at most a mark and the VLAN, and then has the MAC.
struct Row {
  Mac mac;
  std::uint16_t vlan = 0;
  std::size_t rest = 0;  // the word after the MAC
};

std::optional<Row> row_of(const std::vector<std::string_view>& words) {
  for (std::size_t i = 0; i < std::min<std::size_t>(words.size(), 3); ++i) {
    const auto mac = wire::parse_mac(words[i]);
    if (!mac || words[i].size() < 12) continue;
    Row row{*mac, 0, i + 1};
    unsigned vlan = 0;
    const std::string_view before = i == 0 ? std::string_view() : words[i - 1];
    std::from_chars(before.data(), before.data() + before.size(), vlan);
    if (vlan <= 4094) row.vlan = static_cast<std::uint16_t>(vlan);
    return row;
  }
  return std::nullopt;
}

// Gi1/0/1, Et1, Po10, swp3: a letter first and a digit somewhere, which no other column has.
bool is_port(std::string_view word) {
  const bool is_letter = (word.front() | 0x20) >= 'a' && (word.front() | 0x20) <= 'z';
  return is_letter && std::ranges::any_of(word, is_digit) && !word.starts_with("0x") &&
         !lower(word).starts_with("vlan");
}

std::string prompt_name(std::string_view line) {
  const std::size_t mark = line.find_first_of("#>");
  if (mark == std::string_view::npos || mark == 0 || !line.substr(mark + 1).contains("sh")) return {};
  const std::string_view name = base::trim(line.substr(0, mark));
  return name.contains(' ') ? std::string() : std::string(name.substr(0, name.find('(')));
}

std::string name_of_file(std::string_view path) {
  std::string name(path.substr(path.rfind('/') + 1));
  name = name.substr(0, name.rfind('.'));
  constexpr std::string_view kWords[] = {"show",      "mac",        "address", "table", "lldp",
                                         "neighbors", "neighbours", "fdb",     "cam"};
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view word : kWords) {
      if (!name.ends_with(word)) continue;
      name.resize(name.size() - word.size());
      name.resize(name.find_last_not_of("-_. ") + 1);
      again = !name.empty();
    }
  }
  if (!name.empty()) return name;
  const std::string_view folder =
      path.substr(0, path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/'));
  return std::string(folder.substr(folder.rfind('/') + 1));
}

class Reader {
 public:
  Reader(const Source& source, Facts& facts) : source_(source), facts_(facts) {
    gear_.name = name_of_file(facts.files[source.file]);
    gear_.place = {source.file, 0};
  }

  void read() {
    for_each_line(source_.text,
                  [&](std::string_view line, std::uint32_t number) { read_line(line, number); });
    if (gear_.name.empty()) gear_.name = "switch";
    for (CableFacts& cable : cables_) {
      cable.device = gear_.name;
      facts_.cables.push_back(std::move(cable));
    }
    facts_.gear.push_back(std::move(gear_));
  }

 private:
  void read_line(std::string_view line, std::uint32_t number) {
    if (const std::string name = prompt_name(line); !name.empty()) gear_.name = name;
    const std::string low = lower(line);
    if (low.contains("local intf") && low.contains("port id")) {
      columns_ = {low.find("device id"), low.find("local intf"), low.find("port id")};
      return;
    }
    if (low.starts_with("port") && low.contains("neighbor device id")) {
      columns_ = {low.find("neighbor device id"), 0, low.find("neighbor port id")};
      return;
    }
    const auto words = words_of(line);
    if (const auto row = row_of(words)) return read_row(*row, words, number);
    if (columns_.device == std::string::npos) return;
    if (words.size() < 3 || low.starts_with("total") || words.front().starts_with('-')) return;
    read_neighbour(line, number);
  }

  void read_row(const Row& row, const std::vector<std::string_view>& words, std::uint32_t number) {
    const Place place{source_.file, number};
    if (row.mac.is_group()) return;
    if (row.mac.is_zero()) return facts_.leave_out(place, "the zero address in a table");
    bool is_static = false;
    for (std::size_t i = row.rest; i < words.size(); ++i) {
      if (lower(words[i]) == "static") is_static = true;
      if (!is_port(words[i])) continue;
      gear_.fdb.push_back({row.mac, std::string(words[i]), row.vlan, is_static, place});
      return;
    }
  }

  static std::string_view column(std::string_view line, std::size_t at) {
    if (at >= line.size()) return {};
    const auto words = words_of(line.substr(at));
    return words.empty() ? std::string_view() : words.front();
  }

  void read_neighbour(std::string_view line, std::uint32_t number) {
    CableFacts cable;
    cable.place = {source_.file, number};
    cable.far_device = column(line, columns_.device);
    cable.port = column(line, columns_.local);
    cable.far_port = column(line, columns_.port);
    cable.far_port_mac = wire::parse_mac(cable.far_port);
    cable.far_device_mac = wire::parse_mac(cable.far_device);
    if (cable.far_device.empty() || cable.port.empty() || cable.far_port.empty() || !is_port(cable.port))
      return;
    cables_.push_back(std::move(cable));
  }

  struct Columns {
    std::size_t device = std::string::npos, local = 0, port = 0;
  };
  const Source& source_;
  Facts& facts_;
  GearFacts gear_;
  Columns columns_;
  std::vector<CableFacts> cables_;
};

}  // namespace

bool is_switch_console(std::string_view text) {
  const std::string head = lower(text.substr(0, 8192));
  return (head.contains("mac address") && (head.contains("vlan") || head.contains("mac address table"))) ||
         (head.contains("port id") && (head.contains("local intf") || head.contains("neighbor device id")));
}

void read_switch_console(const Source& source, Facts& facts) { Reader(source, facts).read(); }

}  // namespace sekimori::importers

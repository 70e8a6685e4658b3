// Lists of MACs and tables, as text.
//
// What tables look like is in importers/nic_rows.h. A row that cannot be understood is left out and told; the
// others count.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "importers/nic_rows.h"
#include "macs/inventory.h"

namespace sekimori::macs {
namespace {

using importers::NicColumn;

Power power_of(std::string_view text) {
  switch (importers::power_of_word(text)) {
    case importers::Power::kOn:
      return Power::kRunning;
    case importers::Power::kOff:
      return Power::kOff;
    case importers::Power::kUnknown:
      break;
  }
  return Power::kUnknown;
}

Role role_of(std::string_view text) {
  const std::string word = importers::plain_word(text);
  if (word == "guest" || word == "vm" || word == "container") return Role::kGuest;
  return word == "host" || word == "router" || word == "device" ? Role::kHost : Role::kUnknown;
}

// "web01" of "reports/web01.csv"
std::string stem(const std::string& source) {
  const std::size_t slash = source.rfind('/');
  std::string name = source.substr(slash == std::string::npos ? 0 : slash + 1);
  if (const std::size_t dot = name.rfind('.'); dot != std::string::npos && dot > 0) name.resize(dot);
  return name;
}

// ---------------------------------------------------------------- a table

class Table {
 public:
  Table(const importers::NicTable& table, const std::string& source, Inventory& inventory)
      : table_(table),
        source_(source),
        inventory_(inventory),
        from_(inventory.texts.keep(source)),
        stem_(inventory.texts.keep(stem(source))) {}

  void row(const importers::NicRow& row) {
    using enum NicColumn;
    const std::string_view written = row[kMac];
    if (written.empty() || written == "None" || written == "null") {
      ++inventory_.without_mac;
      return;
    }
    const auto mac = wire::parse_mac(written);
    if (!mac) {
      inventory_.omit(source_, row.line, fmt::format("\"{}\" is no MAC address; left out.", written));
      return;
    }
    Nic nic;
    nic.mac = *mac;
    nic.source = from_;
    nic.line = row.line;
    nic.manager = text(row[kManager].empty() ? row[kComputer] : row[kManager]);
    if (nic.manager == kNothing) nic.manager = stem_;
    nic.name = text(table_.has(kGuest) ? row[kGuest] : row[kHost]);
    nic.machine = text(row[kId]);
    if (nic.machine == kNothing) nic.machine = nic.name;
    nic.nic = text(row[kNic]);
    nic.segment = segment(row[kNetwork], row[kVlan]);
    nic.uuid = text(row[kUuid]);
    nic.os_id = text(row[kOsId]);
    nic.clone_of = text(row[kCloneOf]);
    nic.power = power_of(row[kPower]);
    nic.role = role_of(row[kRole]);
    inventory_.nics.push_back(nic);
  }

 private:
  Text text(std::string_view value) { return value.empty() ? kNothing : inventory_.texts.keep(value); }

  // A switch of Hyper-V has many VLANs.
  Text segment(std::string_view network, std::string_view vlan) {
    if (network.empty() || vlan.empty() || vlan == "0") return text(network.empty() ? vlan : network);
    return text(fmt::format("{}, VLAN {}", network, vlan));
  }

  const importers::NicTable& table_;
  const std::string& source_;
  Inventory& inventory_;
  Text from_, stem_;
};

// ---------------------------------------------------------------- a list

// "vc1/vm-7/net0", "vm-7/net0", "vm-7:net0", "vm-7"
void read_name(std::string_view name, Nic& nic, Texts& texts) {
  const std::vector<std::string_view> parts = base::split(name, '/');
  if (parts.size() >= 3) {
    nic.manager = texts.keep(parts[0]);
    nic.machine = texts.keep(parts[1]);
    nic.nic = texts.keep(name.substr(parts[0].size() + parts[1].size() + 2));
    return;
  }
  const std::size_t at = parts.size() == 2 ? parts[0].size() : name.rfind(':');
  nic.machine = texts.keep(name.substr(0, at));
  if (at != std::string_view::npos) nic.nic = texts.keep(name.substr(at + 1));
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < line.size();) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (i < line.size() && is_space(line[i])) ++i;
    const std::size_t start = i;
    while (i < line.size() && !is_space(line[i])) ++i;
    if (i > start && line[start] == '#') break;
    if (i > start) words.push_back(line.substr(start, i - start));
  }
  return words;
}

bool is_list_line(const std::vector<std::string_view>& words) {
  return !words.empty() && words.size() <= 2 &&
         (wire::parse_mac(words.front()) || wire::parse_mac(words.back()));
}

void read_list(std::string_view text, const std::string& source, Inventory& inventory) {
  const Text from = inventory.texts.keep(source), manager = inventory.texts.keep(stem(source));
  unsigned line = 0;
  while (!text.empty()) {
    ++line;
    const std::string_view row = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(row.size() + 1, text.size()));
    const auto words = words_of(row);
    if (words.empty()) continue;
    if (!is_list_line(words)) {
      inventory.omit(source, line, "it is not `MAC`, `MAC NAME` or `NAME MAC`; left out.");
      continue;
    }
    Nic nic;
    nic.manager = manager;
    nic.source = from;
    nic.line = line;
    const auto first = wire::parse_mac(words.front());
    nic.mac = first ? *first : *wire::parse_mac(words.back());
    if (words.size() == 2) read_name(first ? words[1] : words[0], nic, inventory.texts);
    // Nothing names the machine: each line is one.
    if (nic.machine == kNothing) nic.machine = inventory.texts.keep(fmt::format("line {}", line));
    nic.name = nic.machine;
    inventory.nics.push_back(nic);
  }
}

std::string in_quotes(std::string_view text) {
  if (text.find_first_of(",;\"\r\n\t") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace

base::Result<void> read_inventory(std::string_view text, const std::string& source, Inventory& inventory) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") || text.substr(0, 4096).contains('\0'))
    return base::fail(fmt::format(
        "{}: is UTF-16 or no text; save it as UTF-8 (PowerShell: Export-Csv -Encoding utf8).", source));
  if (text.empty()) return base::fail(fmt::format("{}: is empty.", source));
  if (is_list_of_macs(text)) {
    read_list(text, source, inventory);
    return {};
  }
  const auto table = importers::NicTable::of_csv(text);
  if (!table)
    return base::fail(fmt::format(
        "{}: is neither a list of MACs (`MAC NAME` a line) nor a table whose head names a column mac, "
        "mac_address or MACAddress.",
        source));
  read_rows(*table, source, inventory);
  return {};
}

bool is_list_of_macs(std::string_view text) {
  while (!text.empty()) {  // the first line that is not empty or a comment
    const std::string_view line = text.substr(0, text.find('\n'));
    const auto words = words_of(line);
    if (!words.empty()) return is_list_line(words);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return false;
}

void read_rows(const importers::NicTable& rows, const std::string& source, Inventory& inventory) {
  Table table(rows, source, inventory);
  rows.read([&](const importers::NicRow& row) { table.row(row); },
            [&](std::uint32_t line, std::string what) { inventory.omit(source, line, std::move(what)); });
}

std::string csv_head() { return "mac_address,manager,machine_id,interface,status,pool,since,until,note\n"; }

std::string csv_line(const Entry& e) {
  const auto time = [](Seconds t) { return t == 0 ? "" : time_text(t); };
  return fmt::format("{},{},{},{},{},{},{},{},{}\n", wire::to_text(e.mac), in_quotes(e.owner.manager),
                     in_quotes(e.owner.machine), in_quotes(e.owner.nic), to_text(e.state), in_quotes(e.pool),
                     time(e.since), time(e.state == State::kFreed ? e.free_at : e.until), in_quotes(e.note));
}

}  // namespace sekimori::macs

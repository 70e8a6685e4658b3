// Lists of MACs and tables, as text.
//
// Tables are CSV as RFC 4180 has it, with ',', ';' or a tab between, and a head whose words are those of
// NetBox's exports (VM interfaces, device interfaces, MAC addresses), of Hyper-V's Get-VMNetworkAdapter and
// VMware's PowerCLI Get-NetworkAdapter through Export-Csv, or plain ones. A row that cannot be understood is
// left out and told; the others count.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <unordered_map>

#include "base/text.h"
#include "macs/inventory.h"

namespace sekimori::macs {
namespace {

enum Column : std::size_t {
  kMac,
  kManager,
  kMachine,
  kName,
  kNicName,
  kSegment,
  kPower,
  kUuid,
  kOsId,
  kCloneOf,
  kRole,
  kInterfaceName,
  kIgnored,
  kColumns = kIgnored
};

struct Word {
  std::string_view word;  // lower case, what is no letter or digit made "_"
  Column column;
};
constexpr Word kWords[] = {
    {"mac", kMac},
    {"mac_address", kMac},
    {"primary_mac_address", kMac},
    {"macaddress", kMac},
    {"address", kMac},
    {"hwaddr", kMac},
    {"manager", kManager},
    {"cluster", kManager},
    {"vcenter", kManager},
    {"computername", kManager},
    {"machine_id", kMachine},
    {"vm_id", kMachine},
    {"vmid", kMachine},
    {"moref", kMachine},
    {"machine", kName},
    {"machine_name", kName},
    {"virtual_machine", kName},
    {"device", kName},
    {"vm", kName},
    {"vm_name", kName},
    {"vmname", kName},
    {"parent", kName},
    {"host", kName},
    {"hostname", kName},
    {"domain", kName},
    {"nic", kNicName},
    {"interface", kNicName},
    {"adapter", kNicName},
    {"assigned_object", kNicName},
    {"name", kInterfaceName},
    {"segment", kSegment},
    {"network", kSegment},
    {"network_name", kSegment},
    {"networkname", kSegment},
    {"untagged_vlan", kSegment},
    {"vlan", kSegment},
    {"portgroup", kSegment},
    {"switchname", kSegment},
    {"bridge", kSegment},
    {"power", kPower},
    {"power_state", kPower},
    {"powerstate", kPower},
    {"state", kPower},
    {"status", kPower},
    {"uuid", kUuid},
    {"bios_uuid", kUuid},
    {"smbios_uuid", kUuid},
    {"os_machine_id", kOsId},
    {"clone_of", kCloneOf},
    {"template", kCloneOf},
    {"role", kRole},
    {"kind", kRole},
};

std::string folded(std::string_view text) {
  std::string out(base::trim(text));
  for (char& c : out)
    c = std::isalnum(static_cast<unsigned char>(c)) != 0
            ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
            : '_';
  return out;
}

Column column_of(std::string_view head) {
  const std::string word = folded(head);
  const auto* const at = std::ranges::find(kWords, std::string_view(word), &Word::word);
  return at == std::end(kWords) ? kIgnored : at->column;
}

Power power_of(std::string_view text) {
  constexpr std::string_view kOn[] = {"running", "on",   "poweredon", "powered_on", "active",
                                      "up",      "true", "started",   "allocated",  "reserved"};
  constexpr std::string_view kOff[] = {
      "off",    "stopped", "poweredoff", "powered_off",     "shut_off",  "shutoff", "offline", "suspended",
      "paused", "planned", "staged",     "decommissioning", "inventory", "down",    "false",   "saved"};
  const std::string word = folded(text);
  if (std::ranges::find(kOn, word) != std::end(kOn)) return Power::kRunning;
  return std::ranges::find(kOff, word) != std::end(kOff) ? Power::kOff : Power::kUnknown;
}

Role role_of(std::string_view text) {
  const std::string word = folded(text);
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

// Takes the next record off the text. False: a quote is not closed.
bool next_record(std::string_view& rest, char separator, std::vector<std::string>& fields, unsigned& lines) {
  std::size_t used = 0;
  lines = 1;
  const auto field = [&]() -> std::string& {
    if (used == fields.size()) fields.emplace_back();
    return fields[used];
  };
  field().clear();
  std::size_t i = 0;
  bool quoted = false;
  for (; i < rest.size(); ++i) {
    const char c = rest[i];
    if (quoted) {
      if (c == '\n') ++lines;
      if (c != '"') {
        field() += c;
      } else if (i + 1 < rest.size() && rest[i + 1] == '"') {
        field() += rest[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"' && field().empty()) {
      quoted = true;
    } else if (c == separator) {
      ++used;
      field().clear();
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      field() += c;
    }
  }
  fields.resize(used + 1);
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return !quoted;
}

struct Head {
  char separator = ',';
  std::array<std::size_t, kColumns> at{};  // the field of a column, from 1; 0: there is none
  std::size_t width = 0;
};

// The separator under which the first line has a column of MACs.
std::optional<Head> read_head(std::string_view& text) {
  for (const char separator : {',', ';', '\t'}) {
    std::string_view rest = text;
    std::vector<std::string> fields;
    unsigned lines = 0;
    if (!next_record(rest, separator, fields, lines)) continue;
    Head head{separator, {}, fields.size()};
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const Column column = column_of(fields[i]);
      if (column != kIgnored && head.at[column] == 0) head.at[column] = i + 1;
    }
    // A "name" is the interface's where something else names the machine, as in NetBox's exports.
    const bool named = head.at[kMachine] != 0 || head.at[kName] != 0;
    std::size_t& other = head.at[named ? kNicName : kName];
    if (other == 0) other = head.at[kInterfaceName];
    if (head.at[kMac] == 0) continue;
    text = rest;
    return head;
  }
  return std::nullopt;
}

class Table {
 public:
  Table(const Head& head, const std::string& source, Inventory& inventory)
      : head_(head),
        source_(source),
        inventory_(inventory),
        from_(inventory.texts.keep(source)),
        stem_(inventory.texts.keep(stem(source))) {}

  void row(const std::vector<std::string>& fields, unsigned line) {
    if (fields.size() == 1 && base::trim(fields[0]).empty()) return;
    if (fields.size() != head_.width) {
      inventory_.omit(
          source_, line,
          fmt::format("it has {} fields where the head has {}; left out.", fields.size(), head_.width));
      return;
    }
    const std::string_view written = base::trim(fields[head_.at[kMac] - 1]);
    if (written.empty() || written == "None" || written == "null") {
      ++inventory_.without_mac;
      return;
    }
    const auto mac = wire::parse_mac(written);
    if (!mac) {
      inventory_.omit(source_, line, fmt::format("\"{}\" is no MAC address; left out.", written));
      return;
    }
    Nic nic;
    nic.mac = *mac;
    nic.source = from_;
    nic.line = line;
    nic.manager = text(fields, kManager);
    if (nic.manager == kNothing) nic.manager = stem_;
    nic.name = text(fields, kName);
    nic.machine = text(fields, kMachine);
    if (nic.machine == kNothing) nic.machine = nic.name;
    nic.nic = text(fields, kNicName);
    nic.segment = text(fields, kSegment);
    nic.uuid = text(fields, kUuid);
    nic.os_id = text(fields, kOsId);
    nic.clone_of = text(fields, kCloneOf);
    if (const std::size_t at = head_.at[kPower]; at != 0) nic.power = power_of(fields[at - 1]);
    if (const std::size_t at = head_.at[kRole]; at != 0) nic.role = role_of(fields[at - 1]);
    inventory_.nics.push_back(nic);
  }

 private:
  Text text(const std::vector<std::string>& fields, Column column) {
    const std::size_t at = head_.at[column];
    return at == 0 ? kNothing : inventory_.texts.keep(base::trim(fields[at - 1]));
  }

  const Head& head_;
  const std::string& source_;
  Inventory& inventory_;
  Text from_, stem_;
};

void read_table(std::string_view rest, const Head& head, const std::string& source, Inventory& inventory) {
  Table table(head, source, inventory);
  std::vector<std::string> fields;
  for (unsigned line = 2, lines = 0; !rest.empty(); line += lines) {
    if (next_record(rest, head.separator, fields, lines)) {
      table.row(fields, line);
    } else {
      inventory.omit(source, line,
                     "a quote is not closed before the end: the file is cut short; the row is left out.");
    }
  }
}

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

std::string quoted(std::string_view text) {
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
  std::string_view rest = text;
  for (std::string_view lines = text; !lines.empty();) {  // the first line that is not empty or a comment
    const std::string_view line = lines.substr(0, lines.find('\n'));
    const auto words = words_of(line);
    if (is_list_line(words)) {
      read_list(text, source, inventory);
      return {};
    }
    rest = lines;
    if (!words.empty()) break;
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  if (rest.starts_with("#TYPE"))
    rest.remove_prefix(std::min(rest.find('\n') + 1, rest.size()));  // PowerShell 5
  const auto head = read_head(rest);
  if (!head)
    return base::fail(fmt::format(
        "{}: is neither a list of MACs (`MAC NAME` a line) nor a table whose head names a column mac, "
        "mac_address or MACAddress.",
        source));
  read_table(rest, *head, source, inventory);
  return {};
}

std::string csv_head() { return "mac_address,manager,machine_id,interface,status,pool,since,until,note\n"; }

std::string csv_line(const Entry& e) {
  const auto time = [](Seconds t) { return t == 0 ? "" : time_text(t); };
  return fmt::format("{},{},{},{},{},{},{},{},{}\n", wire::to_text(e.mac), quoted(e.owner.manager),
                     quoted(e.owner.machine), quoted(e.owner.nic), to_text(e.state), quoted(e.pool),
                     time(e.since), time(e.state == State::kFreed ? e.free_at : e.until), quoted(e.note));
}

}  // namespace sekimori::macs

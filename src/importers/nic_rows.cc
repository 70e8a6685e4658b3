#include "importers/nic_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "importers/csv.h"

namespace sekimori::importers {
namespace {

using enum NicColumn;

struct Word {
  std::string_view word;  // a plain word
  NicColumn column;
};
// Of two columns that mean one thing the earlier here counts.
constexpr Word kWords[] = {
    {"macaddress", kMac},
    {"mac", kMac},
    {"primarymacaddress", kMac},
    {"hwaddr", kMac},
    {"address", kMac},
    {"manager", kManager},
    {"vcenter", kManager},
    {"visdkserver", kManager},
    {"cluster", kManager},
    {"computername", kComputer},
    {"machineid", kId},
    {"vmid", kId},
    {"moref", kId},
    {"parentid", kId},
    {"machine", kGuest},
    {"machinename", kGuest},
    {"virtualmachine", kGuest},
    {"vmname", kGuest},
    {"vm", kGuest},
    {"parent", kGuest},
    {"domain", kGuest},
    {"vmhost", kHost},
    {"host", kHost},
    {"hostname", kHost},
    {"device", kHost},
    {"niclabel", kNic},
    {"nic", kNic},
    {"interface", kNic},
    {"adapter", kNic},
    {"assignedobject", kNic},
    {"segment", kNetwork},
    {"switchname", kNetwork},
    {"networkname", kNetwork},
    {"network", kNetwork},
    {"portgroup", kNetwork},
    {"bridge", kNetwork},
    {"vlanid", kVlan},
    {"vlan", kVlan},
    {"untaggedvlan", kVlan},
    {"power", kPower},
    {"powerstate", kPower},
    {"vmstate", kPower},
    {"state", kPower},
    {"status", kPower},
    {"vmuuid", kUuid},
    {"uuid", kUuid},
    {"biosuuid", kUuid},
    {"smbiosuuid", kUuid},
    {"osmachineid", kOsId},
    {"cloneof", kCloneOf},
    {"template", kCloneOf},
    {"role", kRole},
    {"kind", kRole},
    {"connected", kConnected},
    {"macaddressspoofing", kSpoofing},
    {"name", kName},
};

// Columns that only exports of vCenter have.
constexpr std::string_view kVCenterOnly[] = {"networkname", "niclabel",    "vmhost",   "vmuuid",
                                             "parent",      "visdkserver", "portgroup"};

constexpr std::size_t index(NicColumn column) { return static_cast<std::size_t>(column); }

// RVTools' "Template" says whether the machine is one.
bool is_no_name(std::string_view text) {
  const std::string word = plain_word(text);
  return word == "true" || word == "false";
}

}  // namespace

std::string plain_word(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c + 32);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out;
}

Power power_of_word(std::string_view text) {
  // ConvertTo-Json writes Hyper-V's enumeration as numbers: 2 is Running, 3 is Off.
  constexpr std::string_view kOn[] = {"running", "on",      "poweredon", "active",   "up",
                                      "true",    "started", "allocated", "reserved", "2"};
  constexpr std::string_view kOff[] = {"off",    "stopped", "poweredoff", "shutoff",         "offline",
                                       "paused", "planned", "staged",     "decommissioning", "suspended",
                                       "down",   "false",   "saved",      "inventory",       "3"};
  const std::string word = plain_word(text);
  if (std::ranges::find(kOn, word) != std::end(kOn)) return Power::kOn;
  return std::ranges::find(kOff, word) != std::end(kOff) ? Power::kOff : Power::kUnknown;
}

bool NicTable::has(NicColumn column) const { return at_[index(column)] != 0; }

bool NicTable::take_head(const std::vector<std::string>& words) {
  head_.clear();
  for (const std::string& word : words) head_.push_back(plain_word(word));
  width_ = head_.size();
  at_ = {};
  for (const Word& word : kWords) {
    const auto found = std::ranges::find(head_, word.word);
    if (found != head_.end() && !has(word.column))
      at_[index(word.column)] = static_cast<std::size_t>(found - head_.begin()) + 1;
  }
  names_guests_ = has(kGuest);
  const bool named = has(kId) || has(kGuest) || has(kHost);
  std::size_t& other = at_[index(named ? kNic : kGuest)];
  if (other == 0) other = at_[index(kName)];
  const auto is_there = [&](std::string_view word) { return std::ranges::find(head_, word) != head_.end(); };
  maker_ = is_there("switchname")                        ? NicTableOf::kHyperV
           : std::ranges::any_of(kVCenterOnly, is_there) ? NicTableOf::kVCenter
                                                         : NicTableOf::kAnybody;
  return has(kMac);
}

std::optional<NicTable> NicTable::of_csv(std::string_view text) {
  const std::uint32_t before = skip_to_head(text);
  for (const char separator : {',', ';', '\t'}) {
    NicTable table;
    table.rest_ = text;
    std::vector<std::string> words;
    std::uint32_t lines = 0;
    if (!next_record(table.rest_, separator, words, lines) || !table.take_head(words)) continue;
    table.separator_ = separator;
    table.line_ = before + lines + 1;
    return table;
  }
  return std::nullopt;
}

std::optional<NicTable> NicTable::of_json(Data root) {
  const Data first = root.is_list() && root.begin() != root.end() ? *root.begin() : root;
  if (!first.is_map()) return std::nullopt;
  std::vector<std::string> words;
  for (const Data value : first) words.emplace_back(value.key());
  NicTable table;
  table.json_ = root;
  if (!table.take_head(words)) return std::nullopt;
  return table;
}

void NicTable::read(const OnRow& row, const OnOmission& omission) const {
  if (json_) return read_json(row);
  read_csv(row, omission);
}

void NicTable::read_csv(const OnRow& row, const OnOmission& omission) const {
  std::string_view rest = rest_;
  std::vector<std::string> fields;
  NicRow out;
  out.line = line_;
  for (std::uint32_t lines = 0; !rest.empty(); out.line += lines) {
    if (!next_record(rest, separator_, fields, lines)) {
      omission(out.line, "a quote is not closed before the end: the file is cut short; the row is left out.");
    } else if (fields.size() != width_) {
      if (fields.size() > 1 || !base::trim(fields[0]).empty())
        omission(out.line,
                 fmt::format("it has {} fields where the head has {}; left out.", fields.size(), width_));
    } else {
      for (std::size_t i = 0; i < kNicColumns; ++i)
        out.values[i] = at_[i] == 0 ? std::string_view() : base::trim(fields[at_[i] - 1]);
      if (has(kCloneOf) && is_no_name(out[kCloneOf])) out.values[index(kCloneOf)] = {};
      row(out);
    }
  }
}

// Keys of a row may come in another order, and not all of them.
void NicTable::read_json(const OnRow& row) const {
  NicRow out;
  const auto read = [&](Data object) {
    out.values = {};
    out.line = object.line();
    for (const Data value : object) {
      const auto found = std::ranges::find(head_, plain_word(value.key()));
      if (found == head_.end()) continue;
      const auto field = static_cast<std::size_t>(found - head_.begin()) + 1;
      const Data one = value.is_list() ? (value.begin() == value.end() ? Data() : *value.begin()) : value;
      for (std::size_t i = 0; i < kNicColumns; ++i) {
        if (at_[i] == field) out.values[i] = base::trim(one.text());
      }
    }
    if (is_no_name(out[kCloneOf])) out.values[index(kCloneOf)] = {};
    row(out);
  };
  if (json_.is_map()) return read(json_);
  for (const Data object : json_) {
    if (object.is_map()) read(object);
  }
}

}  // namespace sekimori::importers

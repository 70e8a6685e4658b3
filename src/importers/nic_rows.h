// Tables of NICs, a row each: what inventories export as CSV or JSON. `import` makes machines of the rows,
// the audit of MACs makes records of them: a million rows go by without a copy.
//
// The words of the heads are those of NetBox's exports (VM interfaces, device interfaces, MAC addresses), of
// Hyper-V's Get-VMNetworkAdapter, VMware's PowerCLI Get-NetworkAdapter, RVTools' vNetwork, and plain ones;
// docs/macs.md lists them. Case, blanks and underscores make no difference.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "importers/data_tree.h"
#include "importers/facts.h"

namespace sekimori::importers {

enum class NicColumn : std::uint8_t {
  kMac,
  kManager,
  kComputer,  // the host, which with Hyper-V is the manager
  kId,
  kGuest,
  kHost,
  kNic,
  kNetwork,
  kVlan,
  kPower,
  kUuid,
  kOsId,
  kCloneOf,
  kRole,
  kConnected,
  kSpoofing,
  kName,  // of the interface where another column names the machine
};
constexpr std::size_t kNicColumns = static_cast<std::size_t>(NicColumn::kName) + 1;

// Trimmed; valid while the row is read.
struct NicRow {
  std::array<std::string_view, kNicColumns> values;
  std::uint32_t line = 0;
  std::string_view operator[](NicColumn column) const { return values[static_cast<std::size_t>(column)]; }
};

// Who made the table, as its head tells.
enum class NicTableOf : std::uint8_t { kAnybody, kHyperV, kVCenter };

class NicTable {
 public:
  // Nothing: it has no column of MACs, or none that says whose they are.
  static std::optional<NicTable> of_csv(std::string_view text);
  static std::optional<NicTable> of_json(Data root);

  bool has(NicColumn column) const;
  NicTableOf maker() const { return maker_; }
  bool names_guests() const { return names_guests_; }  // by a column that can mean nothing else

  using OnRow = std::function<void(const NicRow&)>;
  using OnOmission = std::function<void(std::uint32_t line, std::string what)>;
  void read(const OnRow& row, const OnOmission& omission) const;

 private:
  bool take_head(const std::vector<std::string>& words);
  void read_csv(const OnRow& row, const OnOmission& omission) const;
  void read_json(const OnRow& row) const;

  std::string_view rest_;  // the rows of CSV
  std::uint32_t line_ = 1;
  char separator_ = ',';
  std::size_t width_ = 0;
  std::array<std::size_t, kNicColumns> at_{};  // the field of a column, from 1; 0: there is none
  std::vector<std::string> head_;              // as plain words
  Data json_;
  bool names_guests_ = false;
  NicTableOf maker_ = NicTableOf::kAnybody;
};

Power power_of_word(std::string_view text);

// "Mac Address" -> "macaddress"
std::string plain_word(std::string_view text);

}  // namespace sekimori::importers

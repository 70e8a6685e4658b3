// An inventory: which machine has which MAC, from as many sources as there are. What an importer fills and
// the audit reads.
//
// A record is kept for each (manager, machine, NIC). The machine is named by the id that its manager has for
// it, and ids of two managers are never taken for one another: tools that merged machines by their MAC or
// UUID made two clones into one, silently (netbox-sync #470, #532). Texts are kept once and referred to by
// number, so a million records take some 70 MB.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/id.h"
#include "importers/draft.h"
#include "importers/nic_rows.h"
#include "macs/registry.h"
#include "model/model.h"

namespace sekimori::macs {

using Text = base::Id<struct TextTag>;  // Texts: a string; 0 is the empty one

class Texts {
 public:
  Texts() { keep(""); }
  Texts(Texts&&) noexcept = default;
  Texts& operator=(Texts&&) noexcept = default;
  Text keep(std::string_view text);
  std::string_view operator[](Text text) const { return texts_[text.index()]; }

 private:
  std::deque<std::string> storage_;
  std::vector<std::string_view> texts_;
  std::unordered_map<std::string_view, std::uint32_t> index_;
};

enum class Power : std::uint8_t { kUnknown, kOff, kRunning };
enum class Role : std::uint8_t { kUnknown, kGuest, kHost };

// Where a MAC comes from, as far as the source tells.
enum class Origin : std::uint8_t { kUnknown, kFixed, kDrawn, kAllocated };

constexpr Text kNothing{std::size_t{0}};

struct Nic {
  Text manager = kNothing, machine = kNothing, nic = kNothing;
  Mac mac{};
  Text name = kNothing;      // of the machine, for people
  Text port = kNothing;      // NICs of a machine on one port are one station: VLANs, the members of a bond
  Text segment = kNothing;   // nothing: not known
  Text uuid = kNothing;      // of the (virtual) hardware: SMBIOS
  Text os_id = kNothing;     // /etc/machine-id
  Text clone_of = kNothing;  // the id of a machine of the same manager
  Text source = kNothing;
  std::uint32_t line = 0;
  Power power = Power::kUnknown;
  Role role = Role::kUnknown;
  Origin origin = Origin::kUnknown;
  bool of_exports = false;  // the segment is one of a site made of exports: other names may be the same one
  std::uint8_t drawn_bits = 0;  // kDrawn: from the 2^n addresses that differ in the last n bits
};

// Something in a source that was left out, and why.
struct Omission {
  std::string source;
  unsigned line = 0;  // 0: the source as a whole
  std::string what;
};

struct Inventory {
  static constexpr std::size_t kMostOmissions = 1000;  // kept; more are counted

  Texts texts;
  std::vector<Nic> nics;
  std::vector<model::MacPool> pools;  // names begin with their source where there are several
  std::vector<Omission> omissions;
  std::size_t omitted = 0;
  std::size_t without_mac = 0;  // rows that have none, as they may

  void omit(std::string_view source, unsigned line, std::string what);
  // "web01:net0"; with the manager before it, "vc1/web01:net0", where there are several.
  std::string name_of(const Nic& nic) const;
  Owner owner_of(const Nic& nic) const;
  bool several_managers() const;

 private:
  mutable std::size_t judged_ = 0;  // how many NICs several_managers() has seen
  mutable bool several_ = false;
};

// Text in: a list of MACs, a line each (`MAC`, `MAC NAME`, `NAME MAC`), or a table with a head (CSV). Which
// it is shows in the first line. An error: it is neither.
base::Result<void> read_inventory(std::string_view text, const std::string& source, Inventory& inventory);
bool is_list_of_macs(std::string_view text);
void read_rows(const importers::NicTable& rows, const std::string& source, Inventory& inventory);

// A site: its segments, what runs, its pools.
void read_model(const model::Model& model, const std::string& source, Inventory& inventory);

// What exports say, and the site that was made of them: NICs by manager and the manager's id, in the segments
// of the site.
void read_exports(const importers::Facts& facts, const importers::Draft& draft, const model::Model& model,
                  Inventory& inventory);

// What a registry holds, as CSV that read_inventory() reads.
std::string csv_head();
std::string csv_line(const Entry& entry);

}  // namespace sekimori::macs

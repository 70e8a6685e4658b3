// The modes of a bond, as everybody must know them who reads or writes a site; what they do is in
// switching/bond.h.
#pragma once

#include <initializer_list>
#include <string_view>

#include "model/model.h"

namespace sekimori::model {

// In the order of BondMode, as Linux calls them (Documentation/networking/bonding.rst, `mode`).
inline const std::initializer_list<std::string_view> kBondModeWords = {
    "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"};

// One NIC at a time is the active one, and there may be a `primary`.
constexpr bool has_active(BondMode mode) {
  using enum BondMode;
  return mode == kActiveBackup || mode == kBalanceTlb || mode == kBalanceAlb;
}

// One NIC of several is chosen by a hash: there is a `hash-policy`.
constexpr bool hashes(BondMode mode) {
  using enum BondMode;
  return mode == kBalanceXor || mode == kLacp || mode == kBalanceTlb || mode == kBalanceAlb;
}

}  // namespace sekimori::model

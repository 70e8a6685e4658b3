// Bonds that the guest plays, and frames for them. The file of bonds is an array of these, as they lie in
// memory. The answer is text: for each frame a line with what came of it, parted by blanks: "k:HEX" for a
// copy that left by NIC k (from 1 on) with its first bytes, "0:" for one that the machine got.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sekimori::guest {

constexpr std::size_t kMostNics = 4, kBondFrames = 40, kFrameRoom = 96, kShownBytes = 60;

struct BondFrame {
  std::uint8_t from;    // 0: sent by the machine; else it comes in at that NIC
  std::uint8_t toggle;  // before it that NIC's link is lost, or comes back; 0: none
  std::uint16_t size;
  std::uint8_t bytes[kFrameRoom];
};

struct BondSite {
  std::uint8_t mode, policy, nics, primary;  // as the kernel numbers them; primary: 0 none
  std::uint64_t macs[kMostNics];
  BondFrame frames[kBondFrames];
};

// In the guest: plays them, and returns the answer.
std::string play_bonds(const std::vector<BondSite>& sites);

}  // namespace sekimori::guest

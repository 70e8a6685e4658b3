// From duplicates to a plan: which NIC gets another address, in which order, by which commands. Nothing is
// changed here; people read the plan and run it.
//
// One station of a duplicate keeps the address, the others change. It is kept by, in this order: whom the
// registry has it for; a machine that runs before one of which that is not known, and that before one that is
// off, as changing an address takes a restart; a host, whose address is in ROM, before a guest; an original
// before its clone; whoever comes first in the sources. Well-known addresses are kept by nobody. Steps that
// interrupt nothing come first.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "macs/audit.h"

namespace sekimori::macs {

// How to change a MAC there.
enum class Tool : std::uint8_t {
  kUnknown,
  kLibvirt,
  kVirtualBox,
  kProxmox,
  kKubeVirt,
  kVMware,
  kHyperV,
  kLinux
};
constexpr std::string_view kTools[] = {"unknown",  "libvirt", "virtualbox", "proxmox",
                                       "kubevirt", "vmware",  "hyperv",     "linux"};
std::optional<Tool> tool_of(std::string_view word);
// By what a manager is called: "pve-lab" is Proxmox. kUnknown when no word tells.
Tool guess_tool(std::string_view manager);

struct FixStep {
  std::size_t nic = 0;  // index into the inventory
  Mac fresh{};          // proposed; zero: the registry will say
  bool restarts = false;
  Tool tool = Tool::kUnknown;
  std::string why;
  std::vector<std::string> commands;
};

struct FixOptions {
  std::map<std::string, Tool, std::less<>> tools;  // by manager; others are guessed
  std::string registry;  // where fresh addresses are allocated; empty: they are proposed
};

std::vector<FixStep> plan_fixes(const Inventory& inventory, const Known* known, const FixOptions& options);

}  // namespace sekimori::macs

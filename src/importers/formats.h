// The formats of exports, one from_*.cc each. The table of them is in sources.cc; iproute2 and Open vSwitch,
// which take several files to tell of one machine, have headers of their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include "importers/data_tree.h"
#include "importers/facts.h"

namespace sekimori::importers {

struct Source {
  std::uint32_t file = 0;  // in Facts::files
  std::string group;       // its folder
  std::string_view text;   // UTF-8, without a byte order mark
};

void read_libvirt(const Source& source, Facts& facts);

bool is_lldp(Data root);
void read_lldp(const Source& source, Data root, Facts& facts);

bool is_switch_console(std::string_view text);
void read_switch_console(const Source& source, Facts& facts);

bool is_virtualbox(std::string_view text);
void read_virtualbox(const Source& source, Facts& facts);
bool is_vmx(std::string_view text);
void read_vmx(const Source& source, Facts& facts);

bool is_containerlab(std::string_view text);
void read_containerlab(const Source& source, Data root, Facts& facts);

bool is_kubernetes(std::string_view text);
// The machines of all files by namespace and name: instances and what they are of may come in either order.
using MachineIndex = std::unordered_map<std::string, std::size_t>;
void read_kubernetes(const Source& source, Data root, Facts& facts, MachineIndex& index);

bool is_proxmox_guest(std::string_view text);
void read_proxmox_guest(const Source& source, Facts& facts);
bool is_interfaces(std::string_view text);
void read_interfaces(const Source& source, Facts& facts);

bool is_inventory(std::string_view text, Data json);
void read_inventory(const Source& source, Data json, Facts& facts);

}  // namespace sekimori::importers

// Guests of hosted hypervisors: VirtualBox (`VBoxManage showvminfo NAME --machinereadable`) and VMware's .vmx
// files. Sources: Oracle VM VirtualBox User Manual, "VBoxManage showvminfo" and "modifyvm" (nic<N>,
// bridgeadapter<N>, macaddress<N>, cableconnected<N>); VMware's "Virtual Machine Networking" and knowledge
// base on ethernetN.connectionType, addressType and vnet. A guest that is "bridged" hangs on the host's NIC
// by a driver that taps it: that is the bridge which leaks.
#include <fmt/format.h>

#include <map>

#include "importers/formats.h"
#include "importers/lines.h"

namespace sekimori::importers {
namespace {

struct Value {
  std::string_view text;
  std::uint32_t line = 0;
};
using Values = std::map<std::string, Value, std::less<>>;

Values values_of(std::string_view text) {
  Values values;
  for_each_line(text, [&](std::string_view line, std::uint32_t number) {
    if (line.starts_with('#')) return;
    const KeyValue pair = key_value(line, '=');
    if (!pair.key.empty()) values.try_emplace(std::string(pair.key), Value{pair.value, number});
  });
  return values;
}

std::string_view get(const Values& values, const std::string& key) {
  const auto found = values.find(key);
  return found == values.end() ? std::string_view() : found->second.text;
}

std::uint32_t line_of(const Values& values, const std::string& key) {
  const auto found = values.find(key);
  return found == values.end() ? 0 : found->second.line;
}

void plug_virtualbox(std::string_view kind, const Values& values, int n, NicFacts& nic) {
  const auto named = [&](const char* key) { return std::string(get(values, fmt::format("{}{}", key, n))); };
  if (kind == "bridged") {
    nic.plug = Plug::kHostNic;
    nic.to = named("bridgeadapter");
    nic.to = nic.to.substr(0, nic.to.find(':'));  // "en0: Wi-Fi"
  } else if (kind == "nat") {
    nic.plug = Plug::kNat;
  } else if (kind == "natnetwork") {
    nic.plug = Plug::kNat;
    nic.to = named("nat-network");
  } else if (kind == "hostonly") {
    nic.plug = Plug::kHostOnly;
    nic.to = named("hostonlyadapter");
  } else if (kind == "intnet") {
    nic.plug = Plug::kHostOnly;
    nic.to = named("intnet");
  } else {
    nic.plug = Plug::kNowhere;
  }
}

}  // namespace

bool is_virtualbox(std::string_view text) { return text.contains("VMState=") && text.contains("UUID="); }

void read_virtualbox(const Source& source, Facts& facts) {
  const Values values = values_of(source.text);
  MachineFacts machine;
  machine.manager = "virtualbox";
  machine.name = get(values, "name");
  machine.uuid = get(values, "UUID");
  machine.id = machine.uuid.empty() ? machine.name : machine.uuid;
  machine.group = source.group;
  machine.place = {source.file, line_of(values, "name")};
  const std::string_view state = get(values, "VMState");
  machine.power = state == "running" || state == "paused" ? Power::kOn
                  : state.empty()                         ? Power::kUnknown
                                                          : Power::kOff;
  if (machine.name.empty()) return facts.leave_out(machine.place, "a machine without a name");
  constexpr int kMostNics = 36;  // of the ICH9 chipset
  for (int n = 1; n <= kMostNics; ++n) {
    const std::string key = fmt::format("nic{}", n);
    const std::string_view kind = get(values, key);
    if (kind.empty() || kind == "none") continue;
    NicFacts nic;
    nic.name = key;
    nic.place = {source.file, line_of(values, key)};
    nic.up = get(values, fmt::format("cableconnected{}", n)) != "off";
    nic.mac = nic_mac(facts, nic.place, get(values, fmt::format("macaddress{}", n)),
                      fmt::format("{}:{}", machine.name, key));
    plug_virtualbox(kind, values, n, nic);
    machine.nics.push_back(std::move(nic));
  }
  facts.machines.push_back(std::move(machine));
}

bool is_vmx(std::string_view text) {
  return text.contains("virtualHW.version") || text.contains("ethernet0.present");
}

void read_vmx(const Source& source, Facts& facts) {
  const Values values = values_of(source.text);
  MachineFacts machine;
  machine.manager = "vmware";
  machine.name = get(values, "displayName");
  machine.uuid = get(values, "uuid.bios");
  machine.id =
      facts.files[source.file];  // a copied folder has the same uuid until somebody answers "I copied it"
  machine.group = source.group;
  machine.place = {source.file, line_of(values, "displayName")};
  if (machine.name.empty()) machine.name = machine.id.substr(machine.id.rfind('/') + 1);
  constexpr int kMostNics = 10;
  for (int n = 0; n < kMostNics; ++n) {
    const std::string key = fmt::format("ethernet{}", n);
    if (get(values, key + ".present") != "TRUE" && get(values, key + ".present") != "true") continue;
    NicFacts nic;
    nic.name = key;
    nic.place = {source.file, line_of(values, key + ".present")};
    nic.up = get(values, key + ".startConnected") != "FALSE";
    const bool is_static = get(values, key + ".addressType") == "static";
    nic.mac = nic_mac(facts, nic.place, get(values, key + (is_static ? ".address" : ".generatedAddress")),
                      fmt::format("{}:{}", machine.name, key));
    const std::string_view kind = get(values, key + ".connectionType"),
                           network = get(values, key + ".networkName");
    const std::string_view vnet = get(values, key + ".vnet");
    if (!network.empty()) {  // a port group of ESXi
      nic.plug = Plug::kSwitch;
      nic.to = network;
      nic.on = SwitchKind::kEsxi;
    } else if (kind == "nat") {
      nic.plug = Plug::kNat;
      nic.to = "vmnet8";
    } else if (kind == "hostonly") {
      nic.plug = Plug::kHostOnly;
      nic.to = "vmnet1";
    } else if (kind == "custom" && !vnet.ends_with("vmnet0")) {
      nic.plug = Plug::kHostOnly;
      nic.to = vnet.substr(vnet.rfind('/') + 1);
    } else {
      nic.plug = Plug::kHostNic;  // to which NIC, only the host's own configuration tells
    }
    machine.nics.push_back(std::move(nic));
  }
  facts.machines.push_back(std::move(machine));
}

}  // namespace sekimori::importers

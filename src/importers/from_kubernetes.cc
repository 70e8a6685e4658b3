// KubeVirt's VirtualMachine and VirtualMachineInstance, and NetworkAttachmentDefinitions, as YAML or JSON
// (`kubectl get vm,vmi,net-attach-def -A -o yaml`). Sources: KubeVirt user guide, "Interfaces and networks";
// the Network Plumbing Working Group's NetworkAttachmentDefinition specification; the CNI plugins bridge,
// macvlan and sriov.
#include <fmt/format.h>

#include <algorithm>

#include "importers/formats.h"

namespace sekimori::importers {
namespace {

std::string id_of(Data object) {
  const Data meta = object["metadata"];
  const std::string_view space = meta["namespace"].text();
  return fmt::format("{}/{}", space.empty() ? "default" : space, meta["name"].text());
}

void plug(Data network, std::string_view id, Data interface, NicFacts& nic) {
  const std::string_view named = network["multus"]["networkName"].text();
  if (!named.empty()) {
    nic.plug = Plug::kNetwork;
    nic.to =
        named.contains('/') ? std::string(named) : fmt::format("{}/{}", id.substr(0, id.find('/')), named);
  } else if (interface["masquerade"]) {
    nic.plug = Plug::kNat;
  } else {
    nic.plug = Plug::kSwitch;
    nic.to = "pods";
  }
}

void read_machine(const Source& source, Data object, bool is_instance, Facts& facts, MachineIndex& index) {
  const Data spec = is_instance ? object["spec"] : object["spec"]["template"]["spec"];
  MachineFacts machine;
  machine.manager = "kubevirt";
  machine.id = id_of(object);
  machine.name = object["metadata"]["name"].text();
  machine.uuid = spec["domain"]["firmware"]["uuid"].text();
  machine.group = source.group;
  machine.host = object["status"]["nodeName"].text();
  machine.place = {source.file, object.line()};
  const std::string_view strategy = object["spec"]["runStrategy"].text();
  machine.power = is_instance ? (object["status"]["phase"].text() == "Running" ? Power::kOn : Power::kUnknown)
                  : strategy == "Halted" || object["spec"]["running"].text() == "false" ? Power::kOff
                                                                                        : Power::kUnknown;
  if (machine.name.empty()) return facts.leave_out(machine.place, "a virtual machine without a name");
  for (const Data interface : spec["domain"]["devices"]["interfaces"]) {
    NicFacts nic;
    nic.name = interface["name"].text().empty() ? "default" : std::string(interface["name"].text());
    nic.place = {source.file, interface.line()};
    std::string_view mac = interface["macAddress"].text();
    for (const Data status : object["status"]["interfaces"]) {
      if (status["name"].text() != nic.name) continue;
      if (mac.empty()) mac = status["mac"].text();
    }
    nic.mac = nic_mac(facts, nic.place, mac, fmt::format("{}:{}", machine.name, nic.name));
    for (const Data network : spec["networks"]) {
      if (network["name"].text() == nic.name) plug(network, machine.id, interface, nic);
    }
    machine.nics.push_back(std::move(nic));
  }
  // The instance knows more than the machine it is of.
  const auto [at, is_new] = index.try_emplace(machine.id, facts.machines.size());
  MachineFacts* const known = is_new ? nullptr : &facts.machines[at->second];
  if (known == nullptr) {
    facts.machines.push_back(std::move(machine));
  } else if (is_instance && known->power != Power::kOn) {
    *known = std::move(machine);
  } else if (!is_instance == (known->power != Power::kOn)) {
    facts.leave_out(machine.place,
                    fmt::format("{} is told twice; first in {}", machine.id, facts.text(known->place)));
  }
}

void read_network(const Source& source, Data object, Facts& facts) {
  NetworkFacts network;
  network.manager = "kubevirt";
  network.name = id_of(object);
  network.group = source.group;
  network.place = {source.file, object["spec"]["config"].line()};
  std::optional<DataTree::Damage> damage;
  const DataTree tree = DataTree::json(object["spec"]["config"].text(), damage);
  if (damage)
    return facts.leave_out(network.place, fmt::format("the configuration of {} is no JSON", network.name));
  Data config = tree.root();
  for (const Data plugin : config["plugins"]) {  // a list of plugins: the first makes the interface
    config = plugin;
    break;
  }
  const std::string_view type = config["type"].text();
  if (type == "macvlan" || type == "ipvlan") {
    network.kind = Plug::kMacvlan;
    network.to = config["master"].text();
    const std::string_view mode = config["mode"].text();  // ipvlan's l2 is what macvlan calls bridge
    using enum model::MacvlanMode;
    network.mode = mode == "vepa"       ? kVepa
                   : mode == "private"  ? kPrivate
                   : mode == "passthru" ? kPassthru
                                        : kBridge;
  } else if (type == "sriov") {
    network.kind = Plug::kVf;
  } else {
    network.to = config["bridge"].text();
    if (type == "ovs") network.on = SwitchKind::kOvs;
    if (network.to.empty()) network.to = config["name"].text();
  }
  const std::int64_t vlan = config["vlan"].integer_or(0);
  if (vlan >= 1 && vlan <= 4094) network.vlans.untagged = static_cast<std::uint16_t>(vlan);
  facts.networks.push_back(std::move(network));
}

}  // namespace

bool is_kubernetes(std::string_view text) {
  const std::string_view head = text.substr(0, 65536);
  return (head.contains("apiVersion") && head.contains("kind")) &&
         (text.contains("VirtualMachine") || text.contains("NetworkAttachmentDefinition"));
}

void read_kubernetes(const Source& source, Data root, Facts& facts, MachineIndex& index) {
  const std::string_view kind = root["kind"].text();
  if (root["items"].is_list()) {
    for (const Data item : root["items"]) {
      if (!item["items"]) read_kubernetes(source, item, facts, index);
    }
  } else if (kind == "VirtualMachine" || kind == "VirtualMachineInstance") {
    read_machine(source, root, kind == "VirtualMachineInstance", facts, index);
  } else if (kind == "NetworkAttachmentDefinition") {
    read_network(source, root, facts);
  }
}

}  // namespace sekimori::importers

// Exports of managers and hosts, by way of the importers: one set of readers for `import` and for the audit.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>

#include "macs/inventory.h"

namespace sekimori::macs {
namespace {

// Whose ids are good for all hosts. Of the others each host is a manager of its own: the same domain of
// libvirt on two hosts is two machines, which is how copies come about.
bool spans_hosts(std::string_view manager) {
  constexpr std::string_view kWords[] = {"kubevirt", "vcenter", "proxmox", "containerlab", "inventory"};
  return std::ranges::find(kWords, manager) != std::end(kWords);
}

class Naming {
 public:
  Naming(const importers::Facts& facts, const importers::Draft& draft, Inventory& inventory)
      : facts_(facts), draft_(draft), texts_(inventory.texts) {
    for (std::size_t m = 0; m < draft.machines.size(); ++m) {
      machines_.emplace(draft.machines[m].name, &draft.machines[m]);
      for (const importers::DraftSwitch& bridge : draft.machines[m].switches) {
        if (bridge.is_guess) guesses_.emplace(m, bridge.name);
      }
    }
  }

  // Of a NIC that read_model() has made of a machine of the draft.
  void name(Nic& nic) {
    const auto found = machines_.find(texts_[nic.machine]);
    if (found == machines_.end() || found->second->facts == importers::kNone) return;
    const importers::DraftMachine& machine = *found->second;
    const importers::MachineFacts& told = facts_.machines[machine.facts];
    const bool is_guest = told.kind == model::MachineKind::kGuest;
    std::string manager = told.manager;
    if (is_guest && !spans_hosts(manager) && machine.host != importers::kNone)
      manager += "@" + draft_.machines[machine.host].name;
    nic.manager = texts_.keep(manager);
    nic.name = texts_.keep(told.name);
    nic.machine = is_guest ? texts_.keep(told.id) : nic.name;
    if (!told.uuid.empty()) nic.uuid = texts_.keep(told.uuid);
    nic.of_exports = true;
    if (told.power == importers::Power::kUnknown) nic.power = Power::kUnknown;
    importers::Place place = told.place;
    // A guest's NICs are those of its facts, in their order.
    const auto drafted = std::ranges::find(machine.nics, texts_[nic.nic], &importers::DraftNic::name);
    const auto index = static_cast<std::size_t>(drafted - machine.nics.begin());
    if (is_guest && drafted != machine.nics.end() && guesses_.contains({machine.host, drafted->on}))
      nic.segment = kNothing;
    if (is_guest && drafted != machine.nics.end() && index < told.nics.size()) {
      nic.nic = texts_.keep(told.nics[index].name);
      place = told.nics[index].place;
    }
    nic.source = texts_.keep(facts_.files[place.file]);
    nic.line = place.line;
  }

 private:
  const importers::Facts& facts_;
  const importers::Draft& draft_;
  Texts& texts_;
  std::unordered_map<std::string_view, const importers::DraftMachine*> machines_;
  // Switches of which nothing tells where they lead, by host: two of them may be one segment.
  std::set<std::pair<std::size_t, std::string_view>> guesses_;
};

}  // namespace

void read_exports(const importers::Facts& facts, const importers::Draft& draft, const model::Model& model,
                  Inventory& inventory) {
  const std::size_t first = inventory.nics.size();
  read_model(model, model.source, inventory);
  Naming naming(facts, draft, inventory);
  // A NIC without an address in the exports got one from the site reader, which nobody has.
  std::erase_if(inventory.nics, [&, index = std::size_t{0}](const Nic& nic) mutable {
    return index++ >= first && nic.origin == Origin::kAllocated;
  });
  for (std::size_t i = first; i < inventory.nics.size(); ++i) naming.name(inventory.nics[i]);
}

}  // namespace sekimori::macs

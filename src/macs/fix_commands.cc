// Sources: virsh(1) dumpxml, define; VBoxManage manual, modifyvm --mac-address; qm(1) set; KubeVirt user
// guide, "Interfaces and Networks" (macAddress); VMware PowerCLI Set-NetworkAdapter; Hyper-V
// Set-VMNetworkAdapter; ip-link(8).
#include "macs/fix_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>

namespace sekimori::macs {
namespace {

struct Hint {
  std::string_view word;
  Tool tool;
};
constexpr Hint kHints[] = {
    {"virtualbox", Tool::kVirtualBox}, {"vbox", Tool::kVirtualBox},   {"proxmox", Tool::kProxmox},
    {"pve", Tool::kProxmox},           {"kubevirt", Tool::kKubeVirt}, {"harvester", Tool::kKubeVirt},
    {"hyper-v", Tool::kHyperV},        {"hyperv", Tool::kHyperV},     {"scvmm", Tool::kHyperV},
    {"vcenter", Tool::kVMware},        {"vmware", Tool::kVMware},     {"esx", Tool::kVMware},
    {"libvirt", Tool::kLibvirt},       {"virsh", Tool::kLibvirt},     {"kvm", Tool::kLibvirt},
    {"qemu", Tool::kLibvirt},
};

// What begins with a dash would be an option to any of the tools, quoted or not.
bool is_usable(std::string_view text) {
  return !text.starts_with('-') &&
         std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// In single quotes, unless nothing in it means anything to a shell.
std::string shell(std::string_view text) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._-/:,@").contains(static_cast<char>(c));
  };
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return std::string(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// about_Quoting_Rules: in single quotes, which are doubled inside. Typographic ones count as quotes, too.
std::string powershell(std::string_view text) {
  std::string out = "'";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view three = text.substr(i, 3);
    if (text[i] == '\'') out += '\'';
    if (three == "\u2018" || three == "\u2019" || three == "\u201a" || three == "\u201b") {
      out += three;
      i += 2;
      out += three;
      continue;
    }
    out += text[i];
  }
  return out + "'";
}

std::string bare(std::string text) {
  std::erase(text, ':');
  return text;
}

// "net1" -> 1; what has no number is `otherwise`.
unsigned number_in(std::string_view nic, unsigned otherwise) {
  const std::size_t end = nic.find_last_of("0123456789");
  if (end == std::string_view::npos) return otherwise;
  std::size_t start = end;
  while (start > 0 && std::isdigit(static_cast<unsigned char>(nic[start - 1])) != 0) --start;
  unsigned value = 0;
  for (std::size_t i = start; i <= end && value < 1000; ++i)
    value = value * 10 + static_cast<unsigned>(nic[i] - '0');
  return value;
}

struct Words {
  std::string machine, nic;  // quoted for a shell
  std::string old, fresh;    // the fresh one may be a variable
  bool restarts;
};

std::vector<std::string> libvirt(const Words& w) {
  std::vector<std::string> lines;
  if (w.restarts) lines.push_back(fmt::format("virsh shutdown {}  # and wait until it is off", w.machine));
  lines.push_back(fmt::format("virsh dumpxml --inactive --security-info {} | sed \"s/{}/{}/I\" > fixed.xml",
                              w.machine, w.old, w.fresh));
  lines.emplace_back("virsh define fixed.xml && rm fixed.xml");
  if (w.restarts) lines.push_back(fmt::format("virsh start {}", w.machine));
  return lines;
}

std::vector<std::string> virtualbox(const Words& w, unsigned number, bool has_registry) {
  std::vector<std::string> lines;
  if (w.restarts)
    lines.push_back(
        fmt::format("VBoxManage controlvm {} acpipowerbutton  # and wait until it is off", w.machine));
  const std::string mac = has_registry ? "$(echo \"$mac\" | tr -d :)" : bare(w.fresh);
  lines.push_back(
      fmt::format("VBoxManage modifyvm {} --mac-address{} \"{}\"", w.machine, std::max(number, 1u), mac));
  if (w.restarts) lines.push_back(fmt::format("VBoxManage startvm {} --type headless", w.machine));
  return lines;
}

std::vector<std::string> proxmox(const Words& w, unsigned number) {
  std::vector<std::string> lines{fmt::format(
      "qm set {0} --net{1} \"$(qm config {0} | sed -n \"s/^net{1}: //p\" | sed \"s/{2}/{3}/I\")\"", w.machine,
      number, w.old, w.fresh)};
  if (w.restarts) lines.push_back(fmt::format("qm reboot {}  # the change waits for a restart", w.machine));
  return lines;
}

std::vector<std::string> kubevirt(const Words& w, std::string_view machine) {
  const std::size_t slash = machine.find('/');
  const std::string name =
      slash == std::string_view::npos
          ? shell(machine)
          : fmt::format("{} -n {}", shell(machine.substr(slash + 1)), shell(machine.substr(0, slash)));
  std::vector<std::string> lines{fmt::format(
      "kubectl get vm {} -o yaml | sed \"s/{}/{}/I\" | kubectl replace -f -", name, w.old, w.fresh)};
  if (w.restarts) lines.push_back(fmt::format("virtctl restart {}", name));
  return lines;
}

std::vector<std::string> vmware(std::string_view machine, std::string_view nic, const Words& w) {
  std::vector<std::string> lines{
      "# PowerCLI; an address set by hand must be within 00:50:56:00:00:00 to 00:50:56:3f:ff:ff"};
  const std::string vm = powershell(machine);
  if (w.restarts)
    lines.push_back(fmt::format("Shutdown-VMGuest -VM {} -Confirm:$false  # and wait until it is off", vm));
  lines.push_back(fmt::format(
      "Get-VM -Name {} | Get-NetworkAdapter{} | Set-NetworkAdapter -MacAddress \"{}\" -Confirm:$false", vm,
      nic.empty() ? "" : " -Name " + powershell(nic), w.fresh));
  if (w.restarts) lines.push_back(fmt::format("Start-VM -VM {}", vm));
  return lines;
}

std::vector<std::string> hyperv(std::string_view machine, std::string_view nic, const Words& w,
                                bool has_registry) {
  std::vector<std::string> lines;
  const std::string vm = powershell(machine);
  if (w.restarts) lines.push_back(fmt::format("Stop-VM -Name {}", vm));
  const std::string mac = has_registry ? "($mac -replace ':')" : bare(w.fresh);
  lines.push_back(fmt::format("Set-VMNetworkAdapter -VMName {}{} -StaticMacAddress {}", vm,
                              nic.empty() ? "" : " -Name " + powershell(nic), mac));
  if (w.restarts) lines.push_back(fmt::format("Start-VM -Name {}", vm));
  return lines;
}

std::vector<std::string> by_hand(const Inventory& inventory, const Nic& nic, const Words& w) {
  return {fmt::format(
      "# {}: replace {} by {} with its manager's own means; --manager {}=KIND prints the commands",
      inventory.name_of(nic), w.old, w.fresh, shell(inventory.texts[nic.manager]))};
}

}  // namespace

std::optional<Tool> tool_of(std::string_view word) {
  const auto* const at = std::ranges::find(kTools, word);
  if (at == std::end(kTools)) return std::nullopt;
  return static_cast<Tool>(at - std::begin(kTools));
}

Tool guess_tool(std::string_view manager) {
  std::string lower(manager);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Hint& hint : kHints) {
    if (lower.contains(hint.word)) return hint.tool;
  }
  return Tool::kUnknown;
}

std::string release_command(Mac mac, const std::string& registry) {
  return fmt::format("sekimori mac release {} --registry {}", wire::to_text(mac), shell(registry));
}

std::vector<std::string> fix_commands(const Inventory& inventory, const Nic& nic, const FixStep& step,
                                      const std::string& registry) {
  const std::string_view machine = inventory.texts[nic.machine], name = inventory.texts[nic.nic];
  if (!is_usable(machine) || !is_usable(name) || !is_usable(inventory.texts[nic.manager]))
    return {
        "# the name of this machine or NIC begins with a dash or has control characters: no command is "
        "printed for it"};
  const bool has_registry = !registry.empty();
  const Words w{shell(machine), shell(name), wire::to_text(nic.mac),
                has_registry ? "$mac" : wire::to_text(step.fresh), step.restarts};
  std::vector<std::string> lines;
  const auto add = [&](std::vector<std::string> more) { std::ranges::move(more, std::back_inserter(lines)); };
  const Owner owner = inventory.owner_of(nic);
  if (has_registry) {
    const bool is_powershell = step.tool == Tool::kVMware || step.tool == Tool::kHyperV;
    const std::string who = owner.nic.empty() ? to_text(owner) + "nic" : to_text(owner);
    lines.push_back(is_powershell
                        ? fmt::format("$mac = sekimori mac allocate --registry {} --owner {}",
                                      powershell(registry), powershell(who))
                        : fmt::format("mac=$(sekimori mac allocate --registry {} --owner {}) || exit",
                                      shell(registry), shell(who)));
  }
  switch (step.tool) {
    case Tool::kLibvirt:
      add(libvirt(w));
      break;
    case Tool::kVirtualBox:
      add(virtualbox(w, number_in(name, 1), has_registry));
      break;
    case Tool::kProxmox:
      add(proxmox(w, number_in(name, 0)));
      break;
    case Tool::kKubeVirt:
      add(kubevirt(w, machine));
      break;
    case Tool::kVMware:
      add(vmware(machine, name, w));
      break;
    case Tool::kHyperV:
      add(hyperv(machine, name, w, has_registry));
      break;
    case Tool::kLinux:
      lines.push_back(fmt::format("ip link set dev {} address \"{}\"  # on {}; and where the system keeps it",
                                  w.nic, w.fresh, w.machine));
      break;
    case Tool::kUnknown:
      add(by_hand(inventory, nic, w));
      break;
  }
  return lines;
}

}  // namespace sekimori::macs

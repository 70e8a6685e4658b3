// Proxmox VE: guests (/etc/pve/qemu-server/ID.conf, /etc/pve/lxc/ID.conf) and hosts
// (/etc/network/interfaces). Sources: qm.conf(5), pct.conf(5) of pve-docs, interfaces(5) of ifupdown2.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "importers/formats.h"
#include "importers/lines.h"
#include "model/builder.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

// net0: virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=10,link_down=1
// net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:02,ip=10.0.0.5/24,type=veth
void read_net(const Source& source, std::string_view key, std::string_view value, std::uint32_t line,
              std::string_view id, MachineFacts& machine, Facts& facts) {
  NicFacts nic;
  nic.name = key;
  nic.place = {source.file, line};
  nic.plug = Plug::kNat;  // without a bridge: QEMU's user network
  nic.tap = fmt::format("tap{}i{}", id, key.substr(3));
  std::string_view mac;
  for (const std::string_view part : base::split(value, ',')) {
    const KeyValue pair = key_value(part, '=');
    if (pair.key == "bridge") {
      nic.plug = Plug::kSwitch;
      nic.to = pair.value;
    } else if (pair.key == "tag") {
      nic.vlans.untagged = vlan_number(pair.value);
    } else if (pair.key == "trunks") {
      for (const std::string_view trunk : base::split(pair.value, ';')) {
        if (const std::uint16_t vlan = vlan_number(trunk); vlan != 0)
          nic.vlans.tagged.emplace_back(vlan, vlan);
      }
    } else if (pair.key == "link_down") {
      nic.up = pair.value != "1";
    } else if (pair.key == "name") {
      nic.name = pair.value;
      nic.tap = fmt::format("veth{}i{}", id, key.substr(3));
    } else if (pair.key == "ip") {
      const auto ip = wire::parse_ipv4_prefix(pair.value);
      if (ip && interface_ip(wire::to_text(ip->address), ip->length)) nic.ips.push_back(*ip);
    } else if (pair.key == "hwaddr" || (mac.empty() && pair.value.size() == 17 && pair.value.contains(':'))) {
      mac = pair.value;
    }
  }
  nic.mac = nic_mac(facts, nic.place, mac, fmt::format("{}:{}", machine.name, nic.name));
  machine.nics.push_back(std::move(nic));
}

bool is_net_key(std::string_view key) {
  return key.size() > 3 && key.size() < 6 && key.starts_with("net") &&
         std::ranges::all_of(key.substr(3), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_proxmox_guest(std::string_view text) {
  bool found = false;
  for_each_line(text.substr(0, 65536), [&](std::string_view line, std::uint32_t) {
    const KeyValue pair = key_value(line, ':');
    found |=
        is_net_key(pair.key) && pair.value.contains('=') &&
        (pair.value.contains("bridge=") || pair.value.contains("virtio=") || pair.value.contains("e1000="));
  });
  return found;
}

void read_proxmox_guest(const Source& source, Facts& facts) {
  const std::string& path = facts.files[source.file];
  std::string id = path.substr(path.rfind('/') + 1);
  id = id.substr(0, id.find('.'));
  MachineFacts machine;
  machine.manager = "proxmox";
  machine.id = machine.name = id;
  machine.group = source.group;
  machine.place = {source.file, 1};
  bool is_current = true;  // what follows [NAME] is a snapshot
  for (const bool nets : {false, true}) {
    is_current = true;
    for_each_line(source.text, [&](std::string_view line, std::uint32_t number) {
      is_current &= !line.starts_with('[');
      const KeyValue pair = key_value(line, ':');
      if (!is_current || line.starts_with('#')) return;
      if (!nets && (pair.key == "name" || pair.key == "hostname") && !pair.value.empty())
        machine.name = pair.value;
      if (!nets && pair.key == "smbios1" && pair.value.contains("uuid=")) {
        const std::string_view uuid = pair.value.substr(pair.value.find("uuid=") + 5);
        machine.uuid = uuid.substr(0, uuid.find(','));
      }
      if (nets && is_net_key(pair.key)) read_net(source, pair.key, pair.value, number, id, machine, facts);
    });
  }
  facts.machines.push_back(std::move(machine));
}

bool is_interfaces(std::string_view text) {
  return text.contains("iface ") &&
         (text.contains("bridge-ports") || text.contains("bridge_ports") || text.contains("OVSBridge"));
}

// The bridges, their NICs and addresses. Where iproute2 was exported, too, it counts: it tells what is.
void read_interfaces(const Source& source, Facts& facts) {
  MachineFacts host;
  host.manager = "interfaces";
  host.group = source.group;
  for (std::string_view group = source.group; !group.empty();
       group = group.substr(0, group.rfind('/') == std::string_view::npos ? 0 : group.rfind('/'))) {
    const std::string_view part = group.substr(group.rfind('/') + 1);
    if (part == "etc" || part == "network") continue;
    host.name = part;
    host.group = group;
    break;
  }
  if (host.name.empty() || host.name == ".") host.name = "host";
  host.id = host.name;
  host.kind = model::MachineKind::kHost;
  host.power = Power::kOn;
  host.place = {source.file, 0};

  struct Stanza {
    std::string name;
    std::optional<Ipv4Prefix> ip;
    std::string gateway;
    std::vector<std::string> ports;
    bool is_bridge = false, is_ovs = false, vlan_aware = false, stp = false;
    Place place;
  };
  std::vector<Stanza> stanzas;
  for_each_line(source.text, [&](std::string_view line, std::uint32_t number) {
    const auto words = words_of(line);
    if (words.size() < 2 || words[0].starts_with('#')) return;
    if (words[0] == "iface") {
      const auto known = std::ranges::find(stanzas, words[1], &Stanza::name);
      if (known != stanzas.end()) std::rotate(known, known + 1, stanzas.end());
      if (known == stanzas.end())
        stanzas.push_back(
            {std::string(words[1]), {}, {}, {}, false, false, false, false, {source.file, number}});
      return;
    }
    if (stanzas.empty()) return;
    Stanza& in = stanzas.back();
    std::string key(words[0]);
    std::ranges::replace(key, '_', '-');
    if (key == "address") {
      const auto ip = wire::parse_ipv4_prefix(words[1]);
      if (ip) in.ip = words[1].contains('/') ? *ip : Ipv4Prefix{ip->address, 24};
    } else if (key == "netmask" && in.ip) {
      if (const auto mask = wire::parse_ipv4(words[1]); mask && !mask->is_zero())
        in.ip->length = std::popcount(mask->bits);  // in the older notation the mask is a line of its own
    } else if (key == "gateway") {
      in.gateway = words[1];
    } else if (key == "bridge-ports") {
      in.is_bridge = true;
      for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i] != "none") in.ports.emplace_back(words[i]);
      }
    } else if (key == "ovs-type") {  // openvswitch-switch's ifupdown scripts
      if (words[1] == "OVSBridge") in.is_bridge = in.is_ovs = true;
    } else if (key == "ovs-ports") {
      for (std::size_t i = 1; i < words.size(); ++i) in.ports.emplace_back(words[i]);
    } else if (key == "bridge-vlan-aware") {
      in.vlan_aware = words[1] == "yes";
    } else if (key == "bridge-stp") {
      in.stp = words[1] == "on" || words[1] == "yes";
    }
  });
  const auto add_nic = [&](const std::string& name, Place place, std::optional<Ipv4Prefix> ip) {
    if (std::ranges::find(host.nics, name, &NicFacts::name) != host.nics.end()) return;
    NicFacts nic;
    nic.name = name;
    nic.place = place;
    if (ip) nic.ips.push_back(*ip);
    if (const auto parts = model::parse_nic_name(name); parts && parts->vlan != 0) {
      nic.to = parts->parent;
      nic.vlans.tagged.emplace_back(parts->vlan, parts->vlan);
    }
    host.nics.push_back(std::move(nic));
  };
  for (Stanza& stanza : stanzas) {
    if (stanza.ip && !wire::why_no_interface(*stanza.ip).empty()) stanza.ip.reset();
    if (stanza.is_bridge) {
      SwitchFacts bridge;
      bridge.name = stanza.name;
      if (stanza.is_ovs) bridge.kind = SwitchKind::kOvs;
      bridge.vlan_aware = stanza.vlan_aware;
      bridge.stp = stanza.stp;
      bridge.place = stanza.place;
      if (stanza.ip) bridge.ips.push_back(*stanza.ip);
      for (const std::string& name : stanza.ports) {
        PortFacts port;
        port.name = name;
        port.place = stanza.place;
        if (stanza.vlan_aware) port.vlans.tagged.emplace_back(std::uint16_t{2}, std::uint16_t{4094});
        bridge.ports.push_back(std::move(port));
        if (const std::size_t dot = name.rfind('.'); dot != std::string::npos)
          add_nic(name.substr(0, dot), stanza.place, {});
        add_nic(name, stanza.place, {});
      }
      host.switches.push_back(std::move(bridge));
    } else if (stanza.name != "lo" && stanza.ip) {
      add_nic(stanza.name, stanza.place, stanza.ip);
    }
    if (const auto via = wire::parse_ipv4(stanza.gateway))
      host.routes.push_back({{{}, 0}, *via, stanza.place});
  }
  facts.machines.push_back(std::move(host));
}

}  // namespace sekimori::importers

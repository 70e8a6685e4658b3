// libvirt's domains and networks (virsh dumpxml, net-dumpxml, and the files below /etc/libvirt and
// /run/libvirt). Source: libvirt's formatdomain and formatnetwork pages, and files of libvirt 9.0 kept in
// tests/data/import.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <pugixml.hpp>

#include "importers/formats.h"
#include "importers/problems.h"
#include "wire/ipv4.h"

namespace sekimori::importers {
namespace {

using pugi::xml_node;

constexpr std::size_t kMostXmlBytes = std::size_t{256} << 20;

std::string_view attribute(xml_node node, const char* name) { return node.attribute(name).value(); }

// <virtualport type='openvswitch'/>, of an interface and of a network.
SwitchKind bridge_kind(xml_node node) {
  return attribute(node.child("virtualport"), "type") == "openvswitch" ? SwitchKind::kOvs
                                                                       : SwitchKind::kLinuxBridge;
}

// Without a mode libvirt makes a macvtap in VEPA mode.
model::MacvlanMode mode_of(std::string_view word) {
  using enum model::MacvlanMode;
  if (word == "bridge") return kBridge;
  if (word == "private") return kPrivate;
  return word == "passthrough" ? kPassthru : kVepa;
}

class Reader {
 public:
  Reader(const Source& source, Facts& facts) : source_(source), facts_(facts), lines_(source.text) {}

  void read() {
    pugi::xml_document document;
    const auto result =
        document.load_buffer(source_.text.data(), source_.text.size(),
                             pugi::parse_default | pugi::parse_comments | pugi::parse_fragment);
    if (!result) {
      const Place where{source_.file, lines_.line(static_cast<std::uint32_t>(std::min<std::size_t>(
                                          static_cast<std::size_t>(result.offset), source_.text.size())))};
      facts_.leave_out(where, "the XML is damaged from here on; what was complete before is taken");
      drop_unfinished(document);
    }
    for (const xml_node node : document.children()) {
      if (node.type() == pugi::node_comment)
        is_config_ |= std::string_view(node.value()).contains("AUTO-GENERATED");
      read_root(node);
    }
  }

 private:
  Place place(xml_node node) const {
    return {source_.file,
            lines_.line(static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(node.offset_debug(), 0)))};
  }

  // What was open when the text broke off: of a NIC that lacks its half nothing is taken.
  static void drop_unfinished(pugi::xml_document& document) {
    for (xml_node at = document.last_child(); at; at = at.last_child()) {
      if (std::string_view(at.name()) != "interface") continue;
      at.parent().remove_child(at);
      return;
    }
  }

  void read_root(xml_node node) {
    const std::string_view name = node.name();
    if (name == "domain") {
      read_domain(node);
    } else if (name == "network") {
      read_network(node);
    } else if (name == "domstatus") {
      if (const xml_node domain = node.child("domain")) read_domain(domain);
    } else if (name == "networkstatus") {
      if (const xml_node network = node.child("network")) read_network(network);
    } else if (node.type() == pugi::node_element) {
      facts_.leave_out(place(node), fmt::format("<{}> is no domain and no network", name));
    }
  }

  void read_domain(xml_node node) {
    MachineFacts machine;
    machine.manager = "libvirt";
    machine.name = node.child("name").text().get();
    machine.uuid = node.child("uuid").text().get();
    machine.id = machine.uuid.empty() ? machine.name : machine.uuid;
    machine.group = source_.group;
    machine.place = place(node);
    // Only what runs has a number, but files on the disk never tell it.
    machine.power = node.attribute("id") ? Power::kOn : is_config_ ? Power::kUnknown : Power::kOff;
    if (machine.name.empty()) return facts_.leave_out(machine.place, "a domain without a name");
    unsigned number = 0;
    for (const xml_node nic : node.child("devices").children("interface"))
      read_interface(nic, number++, machine);
    facts_.machines.push_back(std::move(machine));
  }

  void read_interface(xml_node node, unsigned number, MachineFacts& machine) {
    NicFacts nic;
    nic.name = fmt::format("net{}", number);
    nic.place = place(node);
    const std::string whose = fmt::format("{}:{}", machine.name, nic.name);
    nic.mac = nic_mac(facts_, place(node.child("mac")), attribute(node.child("mac"), "address"), whose);
    nic.tap = attribute(node.child("target"), "dev");
    nic.up = attribute(node.child("link"), "state") != "down";
    read_vlan(node.child("vlan"), nic.vlans);
    const xml_node source = node.child("source");
    const std::string_view type = attribute(node, "type");
    if (type == "network") {
      nic.plug = Plug::kNetwork;
      nic.to = attribute(source, "network");
    } else if (type == "bridge") {
      nic.plug = Plug::kSwitch;
      nic.to = attribute(source, "bridge");
      nic.on = bridge_kind(node);
    } else if (type == "direct") {
      nic.plug = Plug::kMacvlan;
      nic.to = attribute(source, "dev");
      nic.mode = mode_of(attribute(source, "mode"));
    } else if (type == "hostdev") {
      nic.plug = Plug::kVf;
    } else if (type == "user") {
      nic.plug = Plug::kNat;
    } else if (type == "ethernet" || type == "vhostuser") {
      nic.plug = Plug::kSwitch;  // the host knows which, by the tap
    } else {
      facts_.leave_out(nic.place,
                       fmt::format("{} is of type '{}', which is no Ethernet of the host", whose, type));
      nic.plug = Plug::kNowhere;
    }
    machine.nics.push_back(std::move(nic));
  }

  void read_vlan(xml_node node, VlanFacts& vlans) {
    const bool trunk = attribute(node, "trunk") == "yes" || node.child("tag").next_sibling("tag");
    for (const xml_node tag : node.children("tag")) {
      const unsigned id = tag.attribute("id").as_uint();
      if (id < 1 || id > 4094) {
        facts_.leave_out(place(tag), fmt::format("'{}' is no VLAN", attribute(tag, "id")));
      } else if (trunk && attribute(tag, "nativeMode") != "untagged") {
        vlans.tagged.emplace_back(static_cast<std::uint16_t>(id), static_cast<std::uint16_t>(id));
      } else {
        vlans.untagged = static_cast<std::uint16_t>(id);
      }
    }
  }

  void read_network(xml_node node) {
    NetworkFacts network;
    network.manager = "libvirt";
    network.group = source_.group;
    network.name = node.child("name").text().get();
    network.place = place(node);
    if (network.name.empty()) return facts_.leave_out(network.place, "a network without a name");
    const xml_node forward = node.child("forward");
    const std::string_view mode = forward ? attribute(forward, "mode") : std::string_view("isolated");
    network.to = attribute(node.child("bridge"), "name");
    network.on = bridge_kind(node);
    const auto below = [&] {
      const std::string_view dev = attribute(forward, "dev");
      return std::string(dev.empty() ? attribute(forward.child("interface"), "dev") : dev);
    };
    if (mode == "isolated") {
      network.kind = Plug::kHostOnly;
    } else if (mode == "nat" || mode.empty()) {
      network.kind = Plug::kNat;
    } else if (mode == "route" || mode == "open") {
      network.kind = Plug::kNat;
      network.routed = true;
    } else if (mode == "hostdev") {
      network.kind = Plug::kVf;
      network.to = attribute(forward.child("pf"), "dev");
    } else if (network.to.empty()) {
      network.kind = Plug::kMacvlan;
      network.to = below();
      network.mode = mode_of(mode);
    }
    read_vlan(node.child("vlan"), network.vlans);
    read_network_ip(node.child("ip"), network);
    facts_.networks.push_back(std::move(network));
  }

  void read_network_ip(xml_node ip, NetworkFacts& network) {
    if (!ip || attribute(ip, "family") == "ipv6") return;
    int length = ip.attribute("prefix").as_int(0);
    if (const auto mask = wire::parse_ipv4(attribute(ip, "netmask"))) length = std::popcount(mask->bits);
    network.ip = interface_ip(attribute(ip, "address"), length == 0 ? 24 : length);
  }

  const Source& source_;
  Facts& facts_;
  LineIndex lines_;
  bool is_config_ = false;
};

}  // namespace

void read_libvirt(const Source& source, Facts& facts) {
  // libvirt writes no document type, and one is all that entities can come from: a file of a few hundred
  // bytes that expands to gigabytes is refused before anything is read.
  if (source.text.contains("<!DOCTYPE") || source.text.contains("<!ENTITY"))
    return facts.leave_out({source.file, 0},
                           "it declares a document type or entities, which libvirt never does");
  if (source.text.size() > kMostXmlBytes)
    return facts.leave_out({source.file, 0}, "it is larger than 256 MiB");
  Reader(source, facts).read();
}

}  // namespace sekimori::importers

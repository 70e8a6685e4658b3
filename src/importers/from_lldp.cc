// LLDP neighbours as lldpd prints them (`lldpctl -f json`). Source: lldpd 1.0.16, src/client/json_writer.c
// and display.c, and its output kept in tests/data/import. One neighbour of an interface is a map, several
// are a list; a chassis with a name is a map of one entry, without one it is the entry itself.
#include "importers/formats.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

void read_neighbour(const Source& source, Data interface, Facts& facts) {
  CableFacts cable;
  cable.group = source.group;
  cable.port = interface.key();
  cable.place = {source.file, interface.line()};
  Data chassis = interface["chassis"];
  if (!chassis["id"]) {
    for (const Data named : chassis) {
      cable.far_device = named.key();
      chassis = named;
      break;
    }
  }
  const auto mac_of = [](Data id) {
    return id["type"].text() == "mac" ? wire::parse_mac(id["value"].text()) : std::nullopt;
  };
  cable.far_device_mac = mac_of(chassis["id"]);
  cable.far_port_mac = mac_of(interface["port"]["id"]);
  // A port names itself by its interface name, or by a MAC and then describes itself by that name.
  cable.far_port =
      cable.far_port_mac ? interface["port"]["descr"].text() : interface["port"]["id"]["value"].text();
  if (cable.far_device.empty()) cable.far_device = chassis["id"]["value"].text();
  if (cable.far_device.empty() || cable.far_port.empty() || cable.port.empty())
    return facts.leave_out(cable.place, "an LLDP neighbour without a chassis or port");
  facts.cables.push_back(std::move(cable));
}

}  // namespace

bool is_lldp(Data root) { return root["lldp"].is_map(); }

void read_lldp(const Source& source, Data root, Facts& facts) {
  const Data interfaces = root["lldp"]["interface"];
  for (const Data entry : interfaces) {
    if (interfaces.is_map()) {
      read_neighbour(source, entry, facts);
    } else {
      for (const Data interface : entry) read_neighbour(source, interface, facts);
    }
  }
}

}  // namespace sekimori::importers

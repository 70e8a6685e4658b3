#include "macs/libvirt_hook.h"

#include <fmt/format.h>

#include <algorithm>
#include <pugixml.hpp>

namespace sekimori::macs {

base::Result<Domain> read_domain(std::string_view xml) {
  if (xml.size() > kMostDomainBytes) return base::fail("the domain's XML is larger than 4 MiB.");
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size());
  if (!parsed) {
    const auto offset =
        std::min(static_cast<std::size_t>(std::max<std::ptrdiff_t>(parsed.offset, 0)), xml.size());
    return base::fail(fmt::format("line {}: the domain's XML can't be read: {}.",
                                  1 + std::ranges::count(xml.substr(0, offset), '\n'), parsed.description()));
  }
  const pugi::xml_node root = document.child("domain");
  if (!root) return base::fail("there is no <domain> in the XML.");
  Domain domain{root.child_value("name"), root.child_value("uuid"), {}};
  for (const pugi::xml_node interface : root.child("devices").children("interface")) {
    const std::string_view address = interface.child("mac").attribute("address").value();
    if (address.empty()) continue;  // libvirt draws one
    const auto mac = wire::parse_mac(address);
    if (!mac) return base::fail(fmt::format("\"{}\" is no MAC address.", address));
    domain.macs.push_back(*mac);
  }
  return domain;
}

Outcome<std::vector<std::string>> objections(const Domain& domain, Registry& registry) {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < domain.macs.size(); ++i) {
    const Mac mac = domain.macs[i];
    if (std::ranges::find(domain.macs.begin(), domain.macs.begin() + static_cast<std::ptrdiff_t>(i), mac) !=
        domain.macs.begin() + static_cast<std::ptrdiff_t>(i))
      list.push_back(fmt::format("{}: two NICs have the MAC {}.", domain.name, wire::to_text(mac)));
    if (mac.is_zero() || mac.is_group()) {
      list.push_back(
          fmt::format("{}: {} can be no NIC's: {}.", domain.name, wire::to_text(mac), why_not(mac)));
      continue;
    }
    const auto entry = registry.lookup(mac);
    if (!entry) return std::unexpected(entry.error());
    if (!*entry || !(*entry)->owner.known()) continue;
    const std::string& machine = (*entry)->owner.machine;
    if (machine == domain.uuid || machine == domain.name) continue;
    if ((*entry)->state == State::kFreed) continue;  // nobody has it now
    list.push_back(fmt::format("{}: {}.", domain.name, describe(**entry)));
  }
  return list;
}

}  // namespace sekimori::macs

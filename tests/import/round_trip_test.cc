// A site is built on the kernel, exported by ip and bridge as a person would, and imported: it is the same
// site. What a lab cannot show is left out of the comparison: a switch of the site is a machine with one
// bridge there.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "cli/sources.h"
#include "importers/site.h"
#include "tests/lab/support.h"
#include "tests/support/folder.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori {
namespace {

namespace fs = std::filesystem;

// The commands of docs/import.md.
void export_namespace(const lab::TestLab& lab, const std::string& name, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& [file, command] :
       {std::pair("link.json", "ip -s -d -j link show"), std::pair("addr.json", "ip -d -j addr show"),
        std::pair("neigh.json", "ip -4 -j neigh show"), std::pair("route.json", "ip -4 -j route show"),
        std::pair("bridge-link.json", "bridge -d -j link show"),
        std::pair("fdb.json", "bridge -d -j fdb show"), std::pair("vlan.json", "bridge -j vlan show")})
    std::ofstream(to / file) << lab.ip(name, command);
}

bool is_switch(const model::Model& m, model::MachineId machine) { return m[machine].name.starts_with("sw"); }

std::string place(const model::Model& m, model::BridgeId bridge) {
  const model::MachineId machine = m[bridge].machine;
  return machine.valid() && is_switch(m, machine) ? m[machine].name : name_of(m, bridge);
}

// Every machine, station, switch and cable as a line.
std::set<std::string> lines_of(const model::Model& m) {
  std::set<std::string> lines;
  for (std::size_t i = 0; i < m.machines.size(); ++i) {
    const model::Machine& machine = m.machines[i];
    if (is_switch(m, model::MachineId(i))) continue;
    std::string line = fmt::format("machine {} {} {}", machine.name, to_text(machine.kind),
                                   machine.host.valid() ? m[machine.host].name : "-");
    for (const model::Route& route : machine.routes)
      line += fmt::format(" {} via {}", wire::to_text(route.destination), wire::to_text(route.via));
    lines.insert(line);
  }
  for (std::size_t i = 0; i < m.stations.size(); ++i) {
    const model::Station& s = m.stations[i];
    if (is_switch(m, s.machine)) continue;
    // In a lab the address of a NIC below a bridge is that of the bridge's own interface.
    const bool speaks = !s.ip.address.is_zero();
    lines.insert(fmt::format("station {} {}", name_of(m, model::StationId(i)),
                             speaks ? wire::to_text(s.mac) + " " + wire::to_text(s.ip) : "-"));
  }
  for (std::size_t i = 0; i < m.bridges.size(); ++i) {
    const model::Bridge& b = m.bridges[i];
    lines.insert(fmt::format("switch {} ageing {} stp {} learning {}", place(m, model::BridgeId(i)),
                             b.ageing.count() / 1'000'000'000, b.stp, b.learning));
  }
  const auto end = [&](model::PortId port) {
    const model::Port& p = m[port];
    if (!p.bridge.valid()) return name_of(m, p.station);
    const std::string name = p.name.empty() ? "plug" : p.name;
    const bool says_flags = p.role != model::PortRole::kHost;
    return fmt::format("{}:{}{}", place(m, p.bridge), name,
                       says_flags ? fmt::format("(flood {} learning {} isolated {})", p.floods_unknown,
                                                p.learning, p.isolated)
                                  : "");
  };
  for (const model::Link& link : m.links) {
    std::string a = end(link.a), b = end(link.b);
    if (b < a) std::swap(a, b);
    // The station of a NIC below a bridge of a switch has no place in the site.
    if (a.starts_with("sw") && b.starts_with("sw") && a.substr(0, a.find(':')) == b.substr(0, b.find('(')))
      continue;
    lines.insert("cable " + a + " - " + b);
  }
  return lines;
}

TEST(RoundTrip, ALabThatIsExportedAndImportedIsTheSiteItWasBuiltOf) {
  const lab::TestLab lab(lab::site_of(R"(
hosts:
  server:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0], ip: 10.0.0.1/24, ageing: 120s}}
    guests:
      app: {nics: {net0: {on: br0, ip: 10.0.0.9/24}}, gateway: 10.0.0.2}
      db: {nics: {net0: {on: br0, ip: 10.0.0.10/24, isolated: on}}}
  desk: {nics: {eth0: 10.0.0.2/24}, routes: [{to: 192.168.7.0/24, via: 10.0.0.3}]}
  far: {nics: {eth0: 10.0.0.3/24}}
  other: {nics: {eth0: {}}, switches: {inner: {kind: linux-bridge, uplinks: [eth0], ip: 10.0.0.4/24}}}
switches:
  sw1: {ageing: 60s}
  sw2: {ports: {1: {flood: off}}}
links:
  - [server:eth0, sw1:1]
  - [desk:eth0, sw1:2]
  - [sw1:24, sw2:24]
  - [far:eth0, sw2:1]
  - [other:eth0, sw2:2]
)"));
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  // Everybody has spoken, so that the tables tell where they are.
  for (const char* name : {"server", "app", "db", "far", "other"})
    EXPECT_THAT(lab.ip(name, "ping -c 1 -w 5 10.0.0.2"), ::testing::HasSubstr("1 received")) << name;
  const testing::Folder folder;
  for (const char* name : {"server", "desk", "far", "other", "sw1", "sw2"})
    export_namespace(lab, name, folder.path() / name);
  for (const char* name : {"app", "db"}) export_namespace(lab, name, folder.path() / "server" / name);

  const auto imported = cli::import_all({folder.path().string()}, {});
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_THAT(imported->left_out, ::testing::IsEmpty());
  const auto model = importers::parse_site(imported->site, "imported");
  ASSERT_TRUE(model) << model.error().text() << imported->site;
  EXPECT_EQ(lines_of(*model), lines_of(lab.site())) << imported->site;
}

}  // namespace
}  // namespace sekimori

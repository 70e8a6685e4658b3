// A fleet imported from mixed exports; the site that comes out is checked. SEKIMORI_IMPORT_NICS sets how many
// NICs, 100 000 otherwise.
//
// Cost sketch for a NIC: 0.5 KB of export to read, 2 us; facts of 700 bytes and a draft of 700 bytes to fill,
// 2 us; names and indexes to look up, 2 us; a line of 150 bytes to write, 1 us   -> a million in 7 s and 1.6
// GB besides the text. Measured: 1.6 s of CPU and 0.2 GB for 100 000, 19 s and 1.8 GB for 1 000 000, on a
// machine with a load of 30: linear, and caches that others emptied.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>

#include "importers/draft.h"
#include "importers/sources.h"

namespace {

using namespace sekimori;
using importers::SourceText;

std::size_t fleet_size() {
  const char* const wanted = std::getenv("SEKIMORI_IMPORT_NICS");
  return wanted == nullptr ? 100'000 : std::strtoull(wanted, nullptr, 10);
}

std::string mac(std::size_t i) {
  return fmt::format("02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", i >> 32 & 255, i >> 24 & 255, i >> 16 & 255,
                     i >> 8 & 255, i & 255);
}

// Of ten NICs four are in vCenter, two each in Hyper-V, KubeVirt and libvirt (a folder a host, fifty domains
// each, of which all have the network `default`). Machines of one name are common: every third is called
// "web".
std::vector<SourceText> make_exports(std::size_t count) {
  std::vector<SourceText> out;
  std::string vcenter = "VM,Powerstate,NIC label,Network,Mac Address,Host,VM ID,VM UUID\n",
              hyperv =
                  "\"VMName\",\"VMId\",\"Name\",\"MacAddress\",\"SwitchName\",\"ComputerName\",\"State\"\n",
              kube;
  std::size_t domains = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = i % 3 == 0 ? "web" : fmt::format("vm-{}", i);
    const std::string uuid = fmt::format("{:08x}-0000-4000-8000-{:012x}", i, i);
    switch (i % 10) {
      case 0:
      case 1:
      case 2:
      case 3:
        vcenter += fmt::format("{},poweredOn,Network adapter 1,VLAN {},{},esx-{},vm-{},{}\n", name,
                               i / 1000 % 50, mac(i), i / 1000, i, uuid);
        break;
      case 4:
      case 5:
        hyperv += fmt::format("\"{}\",\"{}\",\"Network Adapter\",\"{}\",\"External\",\"HV{}\",\"Running\"\n",
                              name, uuid, mac(i), i / 500);
        break;
      case 6:
      case 7:
        kube += fmt::format(
            "---\napiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {{name: {}-{}, "
            "namespace: "
            "prod}}\nspec:\n  domain: {{devices: {{interfaces: [{{name: lan, bridge: {{}}, macAddress: "
            "\"{}\"}}]}}}}\n  "
            "networks: [{{name: lan, multus: {{networkName: vlan10}}}}]\nstatus: {{phase: Running, nodeName: "
            "node{}}}\n",
            name, i, mac(i), i / 500);
        break;
      default: {
        const std::string folder = fmt::format("exports/kvm{}", domains / 50);
        if (domains++ % 50 == 0)
          out.push_back(
              {folder + "/default.xml",
               "<network><name>default</name><forward mode='bridge'/><bridge name='br0'/></network>", false});
        out.push_back(
            {fmt::format("{}/vm{}.xml", folder, i),
             fmt::format("<domain type='kvm' id='1'><name>{}</name><uuid>{}</uuid><devices><interface "
                         "type='network'><mac address='{}'/><source network='default'/></interface>"
                         "</devices></domain>",
                         name, uuid, mac(i)),
             false});
      }
    }
  }
  out.push_back({"exports/vcenter.csv", std::move(vcenter), false});
  out.push_back({"exports/hyperv.csv", std::move(hyperv), false});
  out.push_back({"exports/kube.yaml", std::move(kube), false});
  return out;
}

double peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void import_a_fleet(benchmark::State& state) {
  const std::size_t count = fleet_size();
  const std::vector<SourceText> exports = make_exports(count);
  const double before = peak_mb();
  for (auto _ : state) {
    importers::Facts facts = importers::read_sources(exports, {});
    const importers::Draft draft = importers::merge(facts);
    const std::string site = importers::write_site(draft);
    std::size_t nics = 0;
    for (const importers::DraftMachine& machine : draft.machines)
      nics += machine.kind == model::MachineKind::kGuest ? machine.nics.size() : 0;
    if (nics != count || !facts.left_out.empty() || site.size() < count * 50)
      state.SkipWithError("a wrong answer");
  }
  state.counters["NICs/s"] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["MB besides the exports"] = peak_mb() - before;
}
BENCHMARK(import_a_fleet)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(1);

}  // namespace

// The ns-3 side of the comparison: the trees of bench/simulate_bench.cc as ns-3 learning bridges over CSMA
// links, in the way of ns-3's own example examples/bridge/csma-bridge.cc. Counts frame-hops (transmissions
// that ended) during a part of the run in which every flow runs, and the CPU time of that part. Address
// resolution is static here.
//
//   ns3_bridge_tree --switches=40 --hosts=25 --mode=unicast|flood --seconds=1
#include <cstdio>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "ns3/applications-module.h"
#include "ns3/bridge-module.h"
#include "ns3/core-module.h"
#include "ns3/csma-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"

namespace {

struct Reading {
  double cpu = 0;
  uint64_t hops = 0;
};

uint64_t g_hops = 0;
void count_hop(ns3::Ptr<const ns3::Packet>) { ++g_hops; }
void read(Reading* into) { *into = {static_cast<double>(std::clock()) / CLOCKS_PER_SEC, g_hops}; }

}  // namespace

int main(int argc, char** argv) {
  using namespace ns3;
  uint32_t switches = 4, hosts = 25;
  std::string mode = "unicast";
  double seconds = 1;
  CommandLine command;
  command.AddValue("switches", "number of switches", switches);
  command.AddValue("hosts", "hosts of each switch", hosts);
  command.AddValue("mode", "unicast or flood", mode);
  command.AddValue("seconds", "length of the part that is counted", seconds);
  command.Parse(argc, argv);
  constexpr uint32_t kFanOut = 4, kPayload = 200, kFramesPerSecond = 1000;

  NodeContainer switch_nodes, host_nodes;
  switch_nodes.Create(switches);
  host_nodes.Create(switches * hosts);
  CsmaHelper csma;
  csma.SetChannelAttribute("DataRate", DataRateValue(DataRate("10Gbps")));
  csma.SetChannelAttribute("Delay", TimeValue(MicroSeconds(1)));
  std::vector<NetDeviceContainer> ports(switches);
  NetDeviceContainer nics;
  for (uint32_t s = 0; s < switches; ++s) {
    if (s > 0) {
      const auto link = csma.Install(NodeContainer(switch_nodes.Get(s), switch_nodes.Get((s - 1) / kFanOut)));
      ports[s].Add(link.Get(0));
      ports[(s - 1) / kFanOut].Add(link.Get(1));
    }
    for (uint32_t h = 0; h < hosts; ++h) {
      const auto link = csma.Install(NodeContainer(host_nodes.Get(s * hosts + h), switch_nodes.Get(s)));
      nics.Add(link.Get(0));
      ports[s].Add(link.Get(1));
    }
  }
  BridgeHelper bridge;
  bridge.SetDeviceAttribute("ExpirationTime", TimeValue(Seconds(300)));
  for (uint32_t s = 0; s < switches; ++s) bridge.Install(switch_nodes.Get(s), ports[s]);
  InternetStackHelper internet;
  internet.SetIpv6StackInstall(false);
  internet.Install(host_nodes);
  Ipv4AddressHelper addresses;
  addresses.SetBase("10.0.0.0", "255.0.0.0");
  const auto interfaces = addresses.Assign(nics);

  const auto flow = [&](uint32_t from, uint32_t to, double start) {
    auto cache = host_nodes.Get(from)->GetObject<Ipv4L3Protocol>()->GetInterface(1)->GetArpCache();
    auto entry = cache->Lookup(interfaces.GetAddress(to));
    if (!entry) entry = cache->Add(interfaces.GetAddress(to));
    entry->SetMacAddress(nics.Get(to)->GetAddress());
    entry->MarkPermanent();
    OnOffHelper source("ns3::UdpSocketFactory", InetSocketAddress(interfaces.GetAddress(to), 9));
    source.SetConstantRate(DataRate(uint64_t{kFramesPerSecond} * kPayload * 8), kPayload);
    auto sending = source.Install(host_nodes.Get(from));
    sending.Start(Seconds(start));
    sending.Stop(Seconds(10));
    PacketSinkHelper sink("ns3::UdpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), 9));
    sink.Install(host_nodes.Get(to)).Start(Seconds(0));
  };
  std::vector<uint32_t> order(switches * hosts);
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937 random(1);
  for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random() % (i + 1)]);
  for (uint32_t p = 0; p < (mode == "flood" ? 10u : 50u) && 2 * p + 1 < order.size(); ++p) {
    // The first frame of one is flooded and teaches it; the other, a little later, is forwarded and teaches
    // the way back.
    flow(order[2 * p], order[2 * p + 1], 0.01 + 0.01 * p);
    if (mode != "flood") flow(order[2 * p + 1], order[2 * p], 0.01 + 0.01 * p + 0.0002);
  }
  for (uint32_t i = 0; i < nics.GetN(); ++i)
    nics.Get(i)->TraceConnectWithoutContext("PhyTxEnd", MakeCallback(&count_hop));
  for (const auto& of_switch : ports) {
    for (uint32_t i = 0; i < of_switch.GetN(); ++i) {
      of_switch.Get(i)->TraceConnectWithoutContext("PhyTxEnd", MakeCallback(&count_hop));
    }
  }
  Reading begin, end;
  const double from = mode == "flood" ? 0.12 : 0.52;  // when the last flow has started
  Simulator::Schedule(Seconds(from), &read, &begin);
  Simulator::Schedule(Seconds(from + seconds), &read, &end);
  Simulator::Stop(Seconds(from + seconds) + NanoSeconds(1));
  Simulator::Run();
  std::printf("{\"hops\": %llu, \"cpu_s\": %.6f}\n", static_cast<unsigned long long>(end.hops - begin.hops),
              end.cpu - begin.cpu);
  std::fflush(stdout);
  std::_Exit(0);  // ns-3's own tear-down of 10 000 nodes takes longer than the run
}

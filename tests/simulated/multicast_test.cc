// What a captured run holds of IGMP, MLD and packets for groups: what switches read, and what tshark does.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "importers/site.h"
#include "simulate/run.h"
#include "wire/listening.h"
#include "wire/pcapng_writer.h"

namespace sekimori {
namespace {

using Kind = wire::Listening::Kind;

model::Model site() {
  auto site = importers::parse_site(R"(sekimori: 1
hosts:
  s: {nics: {e: {ip: [10.0.0.1/24, "2001:db8::1/64"]}}}
  m: {nics: {e: {ip: [10.0.0.2/24, "2001:db8::2/64"], groups: [239.1.1.1, "ff15::1"]}}}
routers: {r: {nics: {e: {ip: [10.0.0.254/24, "2001:db8::fe/64"], querier: on}}}}
switches:
  sw: {multicast-snooping: on}
  asks: {multicast-snooping: on, multicast-querier: 10.0.0.250}
links: [[s:e, sw:1], [m:e, sw:2], [r:e, sw:3], [sw:4, asks:1]]
traffic:
  - {from: s, to: 239.1.1.1, kind: udp, rate: 100kbit/s}
  - {from: s, to: "ff15::1", kind: udp, rate: 100kbit/s}
)",
                                    "site.yaml");
  EXPECT_TRUE(site.has_value()) << site.error().text();
  return std::move(*site);
}

// All frames at the member's port of the switch.
std::vector<wire::Buffer> captured() {
  const model::Model m = site();
  simulate::Options options;
  options.until = base::seconds(45);
  for (std::size_t p = 0; p < m.ports.size(); ++p) {
    if (model::name_of(m, model::PortId(p)) == "sw:2") options.captures.push_back(model::PortId(p));
  }
  std::vector<wire::Buffer> frames;
  options.on_frame = [&](const simulate::CapturedFrame& frame) -> base::Result<void> {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(frame.bytes.data());
    frames.emplace_back(octets, octets + frame.bytes.size());
    return {};
  };
  EXPECT_TRUE(simulate::run(m, options).has_value());
  return frames;
}

TEST(SimulatedMulticast, IsReadBack) {
  std::map<std::pair<Kind, bool>, int> heard;
  int packets = 0;
  for (const wire::Buffer& frame : captured()) {
    const auto message = wire::read_listening(frame);
    if (message) ++heard[{message->kind, message->ipv6}];
    packets += frame[0] == 0x01 && frame[2] == 0x5e && frame[3] == 1;
    packets += frame[0] == 0x33 && frame[5] == 1 && !message && frame.size() > 100;
  }
  for (const bool ipv6 : {false, true}) {
    EXPECT_GE((heard[{Kind::kQuery, ipv6}]), 2) << ipv6;
    EXPECT_GE((heard[{Kind::kReport, ipv6}] + heard[{Kind::kOldReport, ipv6}]), 3) << ipv6;
    EXPECT_EQ((heard[{Kind::kGarbled, ipv6}]), 0) << ipv6;
  }
  EXPECT_GT(packets, 100);
}

TEST(SimulatedMulticast, TsharkFindsNothingWrong) {
  if (std::system("tshark --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "tshark is not installed";
  const auto folder = std::filesystem::path(testing::TempDir()) / "sekimori-multicast";
  std::filesystem::create_directories(folder);
  const std::string file = folder / "run.pcapng";
  std::ofstream out(file, std::ios::binary);
  wire::PcapngWriter writer([&](wire::Bytes bytes) -> base::Result<void> {
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return {};
  });
  writer.add_interface({});
  for (const wire::Buffer& frame : captured()) ASSERT_TRUE(writer.write({.bytes = frame}));
  ASSERT_TRUE(writer.flush());
  out.close();
  const auto count = [&](const std::string& filter) {
    const std::string command = "tshark -n -r '" + file + "' -Y '" + filter + "' 2>/dev/null | wc -l";
    std::FILE* pipe = ::popen(command.c_str(), "r");
    char text[32] = "";
    if (pipe != nullptr && std::fgets(text, sizeof text, pipe) == nullptr) text[0] = '\0';
    if (pipe != nullptr) ::pclose(pipe);
    return std::strtol(text, nullptr, 10);
  };
  EXPECT_GT(count("igmp.type == 0x11"), 1);
  EXPECT_GT(count("igmp.type == 0x22 || igmp.type == 0x16"), 1);
  EXPECT_GT(count("icmpv6.type == 130"), 1);
  EXPECT_GT(count("icmpv6.type == 143 || icmpv6.type == 131"), 1);
  EXPECT_GT(count("ip.dst == 239.1.1.1 && udp && eth.dst == 01:00:5e:01:01:01"), 100);
  EXPECT_EQ(count("_ws.malformed || igmp.checksum.status == 0 || icmpv6.checksum.status == 0"), 0);
}

}  // namespace
}  // namespace sekimori

// Real captures: the right findings, and silence on healthy ones. tests/data/captures/README.md tells what
// each holds and where it comes from.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "watch/diagnose.h"

namespace sekimori::watch {
namespace {

using ::testing::HasSubstr;

findings::Report report_on(const std::string& file, std::optional<Place> place = std::nullopt) {
  auto reader = wire::CaptureReader::open_file("tests/data/captures/" + file);
  EXPECT_TRUE(reader.has_value()) << file;
  if (!reader) return {};
  Options options;
  options.at = place;
  return diagnose(*reader, options);
}

// "error loop, note topology-changes"
std::string words(const findings::Report& report) {
  std::vector<std::string> out;
  for (const findings::Finding& f : report.findings) {
    out.push_back(fmt::format("{} {}", findings::to_text(f.severity), findings::entry(f.code).word));
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

// What is in each, as far as it is known: from the conditions it was recorded under, or from a look at its
// frames by hand (docs/accuracy.md lists them).
enum class Holds : std::uint8_t { kFaults, kChange, kHealth, kFormat };

struct Expected {
  std::string_view file, words;
  Holds holds;
  std::string_view truth = "";
  int faults = 0;
};
constexpr Expected kCaptures[] = {
    {"F02_uuflood_onoff_tc_arpscan_96bytes.pcap.zst",
     "error flood-asymmetric, warning arp-unanswered, note topology-changes", Holds::kFaults,
     "a flood for a station that answers all the while; a poll of machines that are gone", 2},
    {"F05_arp_spoof_gateway_first200.pcap", "error arp-poisoning", Holds::kFaults,
     "the router's address claimed by another, at its victim", 1},
    {"F06_arp_poison_ettercap_rearp.pcap", "error arp-poisoning", Holds::kFaults,
     "both directions between two hosts poisoned, and put right at the end", 1},
    {"F09_duplicate_ip_garp_war.pcap.zst", "error ip-duplicate", Holds::kFaults,
     "two routers with one address, which both defend", 1},
    {"F15_mac_flood_random.pcap", "error mac-flooding", Holds::kFaults, "made-up source addresses", 1},
    {"F21_ipv6_neighbor_spoofing.cap",
     "error arp-poisoning, warning mac-well-known, warning mac-well-known, warning mac-well-known",
     Holds::kFaults, "an IPv6 address claimed by another; three hosts with the MACs of an emulator", 4},
    {"lab_dupmac_serverport.pcapng.zst", "error mac-duplicate", Holds::kFaults,
     "two hosts with one MAC, at the port of a third", 1},
    {"lab_dupmac_serverport_first200.pcapng", "error mac-duplicate", Holds::kFaults,
     "the beginning of the same", 1},
    {"lab_loop_storm.pcapng.zst", "error loop", Holds::kFaults,
     "two bridges with a second link for four seconds", 1},
    {"lab_rogue_dhcp_edgeport.pcapng", "error dhcp-rogue", Holds::kFaults,
     "two DHCP servers that tell different routers", 1},
    {"lab_unknown_unicast_aging.pcapng.zst", "error flood-timers", Holds::kFaults,
     "a sink that speaks seldom, and a switch that forgets after 10 s", 1},
    {"F11_stp_tcn_two_roots.pcap", "note topology-changes", Holds::kChange,
     "a spanning tree that finds its root"},
    {"F12_stp_tcn_tca.pcapng", "note topology-changes", Holds::kChange, "one topology change"},
    {"F17_hsrp_coup.cap", "note router-takeover", Holds::kChange, "a router that takes over"},
    {"N06_vrrp_identical_hellos.pcap", "note router-takeover, note router-takeover", Holds::kChange,
     "VRRP: identical frames by the hundred, a virtual MAC at two routers in turn"},
    {"P20_msnlb.pcap", "note nlb-cluster", Holds::kChange, "heartbeats of Network Load Balancing"},
    {"N03_routed_duplicates.pcap", "", Holds::kHealth, "a one-armed router at a mirror: each packet twice"},
    {"N07_hsrp_5vlans_virtual_macs.pcap", "", Holds::kHealth, "HSRP: virtual MACs in five VLANs"},
    {"N10_bfd_echo_ttl_pairs_301to400.pcap", "", Holds::kHealth, "BFD echoes that come back, a TTL lower"},
    {"N11_inbound_only_synflood_first5000.pcap.zst", "", Holds::kHealth, "one direction of a line"},
    {"N13_snap_arp_two_ifaces.pcapng", "", Holds::kHealth, "one frame at both sides of a bridge"},
    {"lab_healthy_edgeport.pcapng", "", Holds::kHealth, "four hosts, nothing wrong"},
    {"P01_pppoe_qinq_251vlans.pcap", "", Holds::kFormat},
    {"P02_8021q_tunneling.cap", "", Holds::kFormat},
    {"P04_erspanII.pcap", "", Holds::kFormat},
    {"P05_erspanIII.pcap", "", Holds::kFormat},
    {"P06_vxlan.pcap", "", Holds::kFormat},
    {"P07_sll2.pcap", "", Holds::kFormat},
    {"P08_linux_sll_first100.pcap", "", Holds::kFormat},
    {"P10_80211_plain.pcap", "", Holds::kFormat},
    {"P11_nanosecond_be.pcap", "", Holds::kFormat},
    {"P12_nanosecond_le.pcap", "", Holds::kFormat},
    {"P13_truncated_file.pcap", "", Holds::kFormat},
    {"P14_pcapng_3sections_mixed_endian.pcapng", "", Holds::kFormat},
    {"P16_lldp_cdp.cap", "", Holds::kFormat},
    {"P17_lacp.cap", "", Holds::kFormat},
    {"P18_rpvst_trunk.cap", "", Holds::kFormat},
    {"P19_mst_bpdu.cap", "", Holds::kFormat},
    {"P22_pbb.pcap", "", Holds::kFormat},
    {"made_protocols.pcap", "", Holds::kFormat},
};

TEST(Captures, AreDiagnosedRight) {
  for (const Expected& e : kCaptures) EXPECT_EQ(words(report_on(std::string(e.file))), e.words) << e.file;
}

// docs/accuracy.md has the table, and counts.
TEST(Captures, TheTableIsWhatIsDiagnosed) {
  std::ifstream file("docs/accuracy.md");
  std::ostringstream text;
  text << file.rdbuf();
  int with_faults = 0, faults = 0, healthy = 0, formats = 0;
  std::string table;
  for (const Expected& e : kCaptures) {
    with_faults += e.holds == Holds::kFaults;
    faults += e.faults;
    healthy += e.holds == Holds::kHealth || e.holds == Holds::kChange;
    formats += e.holds == Holds::kFormat;
    if (e.holds == Holds::kFormat) continue;
    table += fmt::format("| `{}` | {} | {} |\n", e.file, e.truth, e.words.empty() ? "-" : e.words);
    // What is a fault is told as one, and nothing else is.
    const findings::Report report = report_on(std::string(e.file));
    EXPECT_EQ(std::ranges::count_if(report.findings,
                                    [](const auto& f) { return f.severity != findings::Severity::kNote; }),
              e.faults)
        << e.file;
  }
  EXPECT_THAT(text.str(), HasSubstr(table));
  EXPECT_THAT(text.str(), HasSubstr(fmt::format(
                              "{} captures hold {} faults, and each is named; {} healthy ones and {} that "
                              "are there for their formats",
                              with_faults, faults, healthy, formats)));
}

TEST(Captures, AreAllListed) {
  std::set<std::string> listed;
  for (const Expected& e : kCaptures) listed.emplace(e.file);
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/captures")) {
    const std::string name = entry.path().filename().string();
    if (name.find(".pcap") == std::string::npos && name.find(".cap") == std::string::npos) continue;
    EXPECT_TRUE(listed.contains(name)) << name;
  }
}

TEST(Captures, AgeingTimeIsInferred) {
  const auto report = report_on("lab_unknown_unicast_aging.pcapng.zst");
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_THAT(report.findings[0].cause, HasSubstr("10.0 s is the ageing time"));
}

TEST(Captures, LoopShowsTheRepeatedFrame) {
  const auto report = report_on("lab_loop_storm.pcapng.zst");
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_THAT(report.findings[0].headline, HasSubstr("51245 copies of one frame"));
  ASSERT_FALSE(report.findings[0].evidence.empty());
  EXPECT_EQ(report.findings[0].evidence[0].frame, 2u);
}

// The receiver answers all the while, so the topology change 43 s before does not explain the flood.
TEST(Captures, FloodOutlastsTheTopologyChange) {
  const auto report = report_on("F02_uuflood_onoff_tc_arpscan_96bytes.pcap.zst");
  ASSERT_EQ(report.findings.size(), 3u);
  EXPECT_THAT(report.findings[0].headline, HasSubstr("00:1e:4f:10:e3:bb"));
  EXPECT_THAT(report.findings[0].cause, HasSubstr("The receiver lives"));
  EXPECT_EQ(
      base::to_seconds(*report.findings[0].onset) > 76 && base::to_seconds(*report.findings[0].onset) < 78,
      true);
  EXPECT_EQ(report.findings[2].evidence.size(), 4u) << "four changes, not twelve BPDUs";
  EXPECT_THAT(report.findings[1].headline, HasSubstr("asks 564 times for 192.168.10.131"));
}

TEST(Captures, PoisonerIsNamedWithTheFramesThatPutThingsRight) {
  const auto report = report_on("F06_arp_poison_ettercap_rearp.pcap");
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_THAT(report.findings[0].headline, HasSubstr("00:50:56:86:cb:fc"));
  EXPECT_THAT(report.findings[0].cause, HasSubstr("Its own address is 136.160.215.15"));
  EXPECT_THAT(report.findings[0].evidence.back().what, HasSubstr("gives"));
}

// A capture that is cut says so, and what was readable is still told.
TEST(Captures, CutInsideARecord) {
  const auto report = report_on("P13_truncated_file.pcap");
  EXPECT_TRUE(report.incomplete);
  EXPECT_THAT(report.title, HasSubstr("47 frames"));
  ASSERT_FALSE(report.remarks.empty());
  EXPECT_THAT(report.remarks[0], HasSubstr("ends within the record of frame 48"));
}

TEST(Captures, PlacesAreTold) {
  const auto has = [](const findings::Report& report, const char* text) {
    return std::ranges::any_of(report.remarks,
                               [&](const std::string& r) { return r.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(
      has(report_on("N11_inbound_only_synflood_first5000.pcap.zst"), "a tap that hears one direction"));
  EXPECT_TRUE(has(report_on("P08_linux_sll_first100.pcap"), "without destination addresses"));
  EXPECT_TRUE(has(report_on("F02_uuflood_onoff_tc_arpscan_96bytes.pcap.zst"), "an access port"));
  EXPECT_TRUE(
      has(report_on("lab_healthy_edgeport.pcapng", Place::kMirror), "This is a mirror port: as said"));
}

// The evidence opens as a capture of its own: each frame once, in order, with its comment.
TEST(Captures, EvidenceIsWritten) {
  const std::string path = "tests/data/captures/F06_arp_poison_ettercap_rearp.pcap";
  auto reader = wire::CaptureReader::open_file(path);
  const auto report = diagnose(*reader, {});
  std::string out;
  auto again = wire::CaptureReader::open_file(path);
  ASSERT_TRUE(write_evidence(*again, report, wire::string_sink(out)).has_value());
  EXPECT_THAT(out, HasSubstr("arp-poisoning: 00:50:56:86:cb:fc claims 136.160.215.1 unasked"));
  auto written = wire::CaptureReader::open(
      wire::memory_source({reinterpret_cast<const std::uint8_t*>(out.data()), out.size()}), "evidence");
  ASSERT_TRUE(written.has_value());
  std::size_t frames = 0;
  for (wire::Frame frame; written->next(frame);) ++frames;
  EXPECT_EQ(frames, report.findings[0].evidence.size());
}

}  // namespace
}  // namespace sekimori::watch

// What decode() says of every frame of every sample capture is compared with what tshark says, field by
// field.
#include "wire/decode.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>

#include "wire/capture_reader.h"
#include "wire/emit.h"
#include "wire/test_support.h"

namespace sekimori::wire {
namespace {

// All occurrences of each of tshark's fields in a frame, as it prints them.
using Fields = std::map<std::string, std::string>;

template <class T>
void add(Fields& fields, const std::string& name, const T& value,
         fmt::format_string<const T&> format = "{}") {
  std::string& text = fields[name];
  text += (text.empty() ? "" : ",") + fmt::format(format, value);
}
void add(Fields& fields, const std::string& name, Mac mac) { add(fields, name, to_text(mac)); }
void add(Fields& fields, const std::string& name, Ipv4 ip) { add(fields, name, to_text(ip)); }
void add(Fields& fields, const std::string& name, const Ipv6& ip) { add(fields, name, to_text(ip)); }
template <class T>
void add(Fields& fields, const std::string& name, const std::optional<T>& value) {
  if (value) add(fields, name, *value);
}
void add_seconds(Fields& fields, const std::string& name, base::Duration time) {
  add(fields, name, base::to_seconds(time), "{:.6g}");
}
std::string text_of(Bytes bytes) { return std::string(as_text(bytes)); }

void describe(Fields& f, const VlanTag& tag) {
  const std::string protocol = tag.tpid == ethertype::kServiceVlan ? "ieee8021ad." : "vlan.";
  add(f, protocol + "id", tag.vid);
  add(f, protocol + "priority", tag.priority);
}

void describe(Fields& f, const Ethernet& ethernet) {
  add(f, "eth.dst", ethernet.destination);
  add(f, "eth.src", ethernet.source);
  if (ethernet.tags > 0) describe(f, ethernet.outer);
  if (ethernet.tags > 1) describe(f, ethernet.inner);
}

void describe(Fields& f, const Cooked& cooked) {
  add(f, "sll.pkttype", static_cast<int>(cooked.kind));
  if (!cooked.source.is_zero()) add(f, "sll.src.eth", cooked.source);
  if (cooked.type >= ethertype::kLeast) add(f, "sll.etype", cooked.type, "0x{:04x}");
}

void describe(Fields& f, const Arp& arp) {
  add(f, "arp.opcode", arp.operation);
  add(f, "arp.src.hw_mac", arp.sender_mac);
  add(f, "arp.src.proto_ipv4", arp.sender_ip);
  add(f, "arp.dst.hw_mac", arp.target_mac);
  add(f, "arp.dst.proto_ipv4", arp.target_ip);
  if (arp.is_gratuitous()) add(f, "arp.isgratuitous", 1);
}

void describe(Fields& f, const Ipv4Header& ip) {
  add(f, "ip.src", ip.source);
  add(f, "ip.dst", ip.destination);
  add(f, "ip.ttl", ip.ttl);
  add(f, "ip.id", ip.id, "0x{:04x}");
  add(f, "ip.proto", ip.protocol);
  add(f, "ip.len", ip.total_bytes);
  add(f, "ip.hdr_len", ip.header_bytes);
  add(f, "ip.flags.df", static_cast<int>(ip.dont_fragment));
  add(f, "ip.flags.mf", static_cast<int>(ip.more_fragments));
  add(f, "ip.frag_offset", ip.fragment_offset / 8);
}

void describe(Fields& f, const Ipv6Header& ip) {
  add(f, "ipv6.src", ip.source);
  add(f, "ipv6.dst", ip.destination);
  add(f, "ipv6.hlim", ip.hop_limit);
  add(f, "ipv6.plen", ip.payload_bytes);
}

void describe(Fields& f, const Bpdu& bpdu) {
  add(f, "stp.version", bpdu.version);
  add(f, "stp.type", bpdu.type, "0x{:02x}");
  if (bpdu.is_tcn()) return;
  add(f, "stp.flags", bpdu.flags, "0x{:02x}");
  add(f, "stp.flags.tc", static_cast<int>(bpdu.topology_change()));
  add(f, "stp.root.prio", bpdu.root.priority & 0xf000);
  add(f, "stp.root.ext", bpdu.root.priority & 0xfff);
  add(f, "stp.root.hw", bpdu.root.mac);
  add(f, "stp.root.cost", bpdu.root_path_cost);
  add(f, "stp.bridge.ext", bpdu.bridge.priority & 0xfff);
  add(f, "stp.bridge.hw", bpdu.bridge.mac);
  add(f, "stp.port", bpdu.port, "0x{:04x}");
  add_seconds(f, "stp.msg_age", bpdu.message_age);
  add_seconds(f, "stp.max_age", bpdu.max_age);
  add_seconds(f, "stp.hello", bpdu.hello);
  add_seconds(f, "stp.forward", bpdu.forward_delay);
  add(f, "stp.pvst.origvlan", bpdu.pvst_vlan);
  if (!bpdu.mst) return;
  add(f, "mstp.config_name", std::string(bpdu.mst->region));
  add(f, "mstp.config_revision_level", bpdu.mst->revision);
  add(f, "mstp.cist_internal_root_path_cost", bpdu.mst->internal_root_path_cost);
  add(f, "mstp.cist_bridge.hw", bpdu.mst->bridge.mac);
  add(f, "mstp.cist_remaining_hops", bpdu.mst->remaining_hops);
  for (std::size_t i = 0; i < bpdu.mst->instances; ++i) {
    const MstInstance instance = mst_instance(*bpdu.mst, i);
    add(f, "stp.flags.tc", instance.flags & Bpdu::kTopologyChange);
    add(f, "mstp.msti.flags", instance.flags, "0x{:02x}");
    add(f, "mstp.msti.root.hw", instance.regional_root.mac);
    add(f, "mstp.msti.root_cost", instance.internal_root_path_cost);
  }
}

void describe(Fields& f, const Discovery& discovery) {
  if (discovery.protocol == Discovery::Protocol::cdp) {
    add(f, "cdp.ttl", discovery.ttl_s);
    add(f, "cdp.deviceid", std::string(discovery.system_name));
    add(f, "cdp.portid", text_of(discovery.port_id));
    if (discovery.native_vlan != 0) add(f, "cdp.native_vlan", discovery.native_vlan);
    return;
  }
  add(f, "lldp.time_to_live", discovery.ttl_s);
  if (!discovery.system_name.empty()) add(f, "lldp.tlv.system.name", std::string(discovery.system_name));
  if (discovery.port_id_subtype != Discovery::kPortIsMac) add(f, "lldp.port.id", text_of(discovery.port_id));
  if (discovery.chassis_id_subtype == Discovery::kChassisIsMac && discovery.chassis_id.size() == 6) {
    add(f, "lldp.chassis.id.mac", Mac::from_octets(discovery.chassis_id.data()));
  }
}

void describe(Fields& f, const Lacp& lacp) {
  add(f, "lacp.actor.sysid", lacp.actor.system);
  add(f, "lacp.actor.sys_priority", lacp.actor.system_priority);
  add(f, "lacp.actor.key", lacp.actor.key);
  add(f, "lacp.actor.port", lacp.actor.port);
  add(f, "lacp.actor.state", lacp.actor.state, "0x{:02x}");
  add(f, "lacp.partner.sysid", lacp.partner.system);
  add(f, "lacp.partner.port", lacp.partner.port);
  add(f, "lacp.partner.port_priority", lacp.partner.port_priority);
  add(f, "lacp.partner.state", lacp.partner.state, "0x{:02x}");
}

void describe(Fields& f, const NlbHeartbeat& heartbeat) {
  add(f, "msnlb.unique_host_id", heartbeat.host_priority);
  add(f, "msnlb.cluster_ip", heartbeat.cluster_ip);
  add(f, "msnlb.host_ip", heartbeat.host_ip);
}

void describe(Fields& f, const Udp& udp) {
  add(f, "udp.srcport", udp.source_port);
  add(f, "udp.dstport", udp.destination_port);
  add(f, "udp.length", udp.length);
}

void describe(Fields& f, const Tcp& tcp) {
  add(f, "tcp.srcport", tcp.source_port);
  add(f, "tcp.dstport", tcp.destination_port);
  add(f, "tcp.seq_raw", tcp.seq);
  add(f, "tcp.ack_raw", tcp.ack);
  add(f, "tcp.window_size_value", tcp.window);
  for (const auto& [name, flag] : {std::pair{"fin", Tcp::kFin},
                                   {"syn", Tcp::kSyn},
                                   {"reset", Tcp::kRst},
                                   {"push", Tcp::kPsh},
                                   {"ack", Tcp::kAck},
                                   {"urg", Tcp::kUrg}}) {
    add(f, fmt::format("tcp.flags.{}", name), static_cast<int>(tcp.has(flag)));
  }
  add(f, "tcp.options.mss_val", tcp.mss);
  add(f, "tcp.options.wscale.shift", tcp.window_scale);
  if (tcp.timestamps) {
    add(f, "tcp.options.timestamp.tsval", tcp.timestamps->value);
    add(f, "tcp.options.timestamp.tsecr", tcp.timestamps->echo);
  }
  for (int shift = 60; shift >= 0; shift -= 4) {
    if (const int kind = tcp.option_layout >> shift & 0xf) add(f, "tcp.option_kind", kind);
  }
}

void describe(Fields& f, const Icmp& icmp) {
  add(f, "icmp.type", icmp.type);
  add(f, "icmp.code", icmp.code);
  if (!icmp.is_echo()) return;
  add(f, "icmp.ident", icmp.id);
  add(f, "icmp.seq", icmp.sequence);
}

void describe(Fields& f, const Icmpv6& message) {
  add(f, "icmpv6.type", message.type);
  add(f, "icmpv6.code", message.code);
  if (message.type == Icmpv6::kNeighborSolicitation) add(f, "icmpv6.nd.ns.target_address", message.target);
  if (message.type == Icmpv6::kNeighborAdvertisement) {
    add(f, "icmpv6.nd.na.target_address", message.target);
    add(f, "icmpv6.nd.na.flag.r", static_cast<int>(message.from_router));
    add(f, "icmpv6.nd.na.flag.s", static_cast<int>(message.solicited));
    add(f, "icmpv6.nd.na.flag.o", static_cast<int>(message.overrides));
  }
  if (message.type == Icmpv6::kRouterAdvertisement) {
    add(f, "icmpv6.nd.ra.router_lifetime", message.router_lifetime_s);
  }
  if (message.type == Icmpv6::kRedirect) add(f, "icmpv6.nd.rd.target_address", message.target);
  add(f, "icmpv6.opt.linkaddr", message.source_mac);
  add(f, "icmpv6.opt.linkaddr", message.target_mac);
}

void describe(Fields& f, const Igmp& igmp) {
  add(f, "igmp.type", igmp.type, "0x{:02x}");
  if (igmp.type != Igmp::kReport3 || igmp.records > 0) add(f, "igmp.maddr", igmp.group);
}

void describe(Fields& f, const Dhcp& dhcp) {
  add(f, "dhcp.type", dhcp.op);
  add(f, "dhcp.id", dhcp.xid, "0x{:08x}");
  add(f, "dhcp.hw.mac_addr", dhcp.client_mac);
  const bool id_is_mac = dhcp.client_id.size() == 7 && dhcp.client_id[0] == 1;
  if (id_is_mac) add(f, "dhcp.hw.mac_addr", Mac::from_octets(&dhcp.client_id[1]));
  add(f, "dhcp.ip.client", dhcp.client_ip);
  add(f, "dhcp.ip.your", dhcp.your_ip);
  add(f, "dhcp.ip.relay", dhcp.relay_ip);
  if (dhcp.message_type != 0) add(f, "dhcp.option.dhcp", dhcp.message_type);
  add(f, "dhcp.option.dhcp_server_id", dhcp.server_id);
  add(f, "dhcp.option.requested_ip_address", dhcp.requested_ip);
  add(f, "dhcp.option.router", dhcp.router);
  if (!dhcp.hostname.empty()) add(f, "dhcp.option.hostname", std::string(dhcp.hostname));
  if (!dhcp.vendor_class.empty()) add(f, "dhcp.option.vendor_class_id", std::string(dhcp.vendor_class));
}

void describe(Fields& f, const FirstHop& router) {
  if (router.protocol == FirstHop::Protocol::vrrp) {
    add(f, "vrrp.version", router.version);
    add(f, "vrrp.virt_rtr_id", router.group);
    add(f, "vrrp.prio", router.priority);
    add(f, "vrrp.ip_addr", router.virtual_ip);
    if (router.version == 2) add(f, "vrrp.adver_int", router.hello_ms / 1000);
    if (router.version == 3) add(f, "vrrp.short_adver_int", router.hello_ms / 10);
  } else if (router.protocol == FirstHop::Protocol::hsrp) {
    const std::string name = router.version == 1 ? "hsrp." : "hsrp2.";
    add(f, name + "opcode", router.opcode);
    if (router.opcode == FirstHop::kHsrpAdvertise) return;
    add(f, name + "state", router.state);
    add(f, name + "group", router.group);
    add(f, name + "priority", router.priority);
    add(f, name + "hellotime", router.hello_ms / (router.version == 1 ? 1000 : 1));
    add(f, name + "virt_ip", router.virtual_ip);
  } else {
    add(f, "glbp.group", router.group);
    add(f, "glbp.hello.vgstate", router.state);
    add(f, "glbp.hello.priority", router.priority);
    add(f, "glbp.hello.helloint", router.hello_ms);
    add(f, "glbp.hello.virtualipv4", router.virtual_ip);
    add(f, "glbp.reqresp.virtualmac", router.virtual_mac);
  }
}

void describe(Fields&, BfdEcho) {}
void describe(Fields&, std::monostate) {}

void describe(Fields& f, const Tunnel& tunnel) {
  using Kind = Tunnel::Kind;
  if (tunnel.kind == Kind::vxlan) add(f, "vxlan.vni", tunnel.id);
  if (tunnel.kind == Kind::geneve) add(f, "geneve.vni", tunnel.id, "0x{:06x}");
  if (tunnel.kind == Kind::erspan2 || tunnel.kind == Kind::erspan3) {
    add(f, "erspan.spanid", tunnel.id);
    add(f, "erspan.vlan", tunnel.vlan);
  }
  if (tunnel.kind == Kind::pbb) add(f, "ieee8021ah.isid", tunnel.id);
}

// The whole frame, and what is inside of it, as tshark shows it at once.
void describe(Fields& f, LinkType link_type, Bytes frame) {
  const Packet packet = decode(link_type, frame);
  const auto layer = [&](const auto& value) { describe(f, value); };
  std::visit(layer, packet.link);
  std::visit(layer, packet.network);
  std::visit(layer, packet.transport);
  std::visit(layer, packet.application);
  if (!packet.tunnel) return;
  describe(f, *packet.tunnel);
  if (packet.tunnel->kind != Tunnel::Kind::pbb) {
    describe(f, LinkType::ethernet, packet.tunnel->frame);
    return;
  }
  // tshark calls the inner addresses of 802.1ah something else.
  Fields inner;
  describe(inner, LinkType::ethernet, packet.tunnel->frame);
  inner["ieee8021ah.cdst"].swap(inner["eth.dst"]);
  inner["ieee8021ah.csrc"].swap(inner["eth.src"]);
  for (const auto& [name, text] : inner) {
    if (!text.empty()) add(f, name, text);
  }
}

constexpr std::string_view kCompared =
    "eth.dst eth.src vlan.id vlan.priority ieee8021ad.id ieee8021ad.priority sll.pkttype sll.src.eth "
    "sll.etype "
    "arp.opcode arp.src.hw_mac arp.src.proto_ipv4 arp.dst.hw_mac arp.dst.proto_ipv4 arp.isgratuitous "
    "ip.src ip.dst ip.ttl ip.id ip.proto ip.len ip.hdr_len ip.flags.df ip.flags.mf ip.frag_offset "
    "ipv6.src ipv6.dst ipv6.hlim ipv6.plen "
    "stp.version stp.type stp.flags stp.flags.tc stp.root.prio stp.root.ext stp.root.hw stp.root.cost "
    "stp.bridge.ext "
    "stp.bridge.hw stp.port stp.msg_age stp.max_age stp.hello stp.forward stp.pvst.origvlan mstp.config_name "
    "mstp.msti.flags mstp.msti.root.hw mstp.msti.root_cost mstp.config_revision_level "
    "mstp.cist_internal_root_path_cost mstp.cist_bridge.hw "
    "mstp.cist_remaining_hops "
    "cdp.ttl cdp.deviceid cdp.portid cdp.native_vlan lldp.time_to_live lldp.tlv.system.name lldp.port.id "
    "lldp.chassis.id.mac lacp.actor.sysid lacp.actor.sys_priority lacp.actor.key lacp.actor.port "
    "lacp.actor.state "
    "lacp.partner.sysid lacp.partner.port lacp.partner.port_priority lacp.partner.state "
    "msnlb.unique_host_id msnlb.cluster_ip msnlb.host_ip udp.srcport udp.dstport udp.length "
    "tcp.srcport tcp.dstport tcp.seq_raw tcp.ack_raw tcp.window_size_value tcp.flags.fin tcp.flags.syn "
    "tcp.flags.reset tcp.flags.push tcp.flags.ack tcp.flags.urg tcp.options.mss_val tcp.options.wscale.shift "
    "tcp.options.timestamp.tsval tcp.options.timestamp.tsecr tcp.option_kind icmp.type icmp.code icmp.ident "
    "icmp.seq "
    "icmpv6.type icmpv6.code icmpv6.nd.ns.target_address icmpv6.nd.na.target_address icmpv6.nd.na.flag.r "
    "icmpv6.nd.na.flag.s icmpv6.nd.na.flag.o icmpv6.nd.ra.router_lifetime icmpv6.nd.rd.target_address "
    "icmpv6.opt.linkaddr igmp.type igmp.maddr dhcp.type dhcp.id dhcp.hw.mac_addr dhcp.ip.client dhcp.ip.your "
    "dhcp.ip.relay dhcp.option.dhcp dhcp.option.dhcp_server_id dhcp.option.requested_ip_address "
    "dhcp.option.router "
    "dhcp.option.hostname dhcp.option.vendor_class_id vrrp.version vrrp.virt_rtr_id vrrp.prio vrrp.ip_addr "
    "vrrp.adver_int vrrp.short_adver_int hsrp.opcode hsrp.state hsrp.group hsrp.priority hsrp.hellotime "
    "hsrp.virt_ip "
    "hsrp2.opcode hsrp2.state hsrp2.group hsrp2.priority hsrp2.hellotime hsrp2.virt_ip glbp.group "
    "glbp.hello.vgstate "
    "glbp.hello.priority glbp.hello.helloint glbp.hello.virtualipv4 glbp.reqresp.virtualmac vxlan.vni "
    "geneve.vni "
    "erspan.spanid erspan.vlan ieee8021ah.isid ieee8021ah.cdst ieee8021ah.csrc";

// Every layer is taken as it stands: nothing put together from several frames, no guess from ports.
const std::string kOptions =
    "-o ip.defragment:FALSE -o ipv6.defragment:FALSE -o tcp.desegment_tcp_streams:FALSE -o "
    "tcp.relative_sequence_numbers:TRUE "
    "-d udp.port==8472,vxlan";

void compare_with_tshark(const std::string& path) {
  const auto names = base::split(kCompared, ' ');
  const auto rows = testing::tshark(
      path, "frame.number _ws.malformed frame.encap_type " + std::string(kCompared), kOptions);
  auto reader = CaptureReader::open_file(path);
  ASSERT_TRUE(reader) << reader.error().what;
  std::size_t row = 0;
  int differences = 0;
  for (Frame f; reader->next(f) && differences < 10; ++row) {
    while (row < rows.size() && rows[row][0] != std::to_string(f.number)) ++row;
    ASSERT_LT(row, rows.size());
    ASSERT_EQ(rows[row].size(), names.size() + 3);
    Fields fields;
    describe(fields, f.link_type, f.bytes);
    // An ICMP error quotes the packet at fault, which tshark takes apart, too.
    const bool quotes = !fields["icmp.type"].empty() && fields["icmp.ident"].empty();
    // Of a header that the capture length cuts, tshark shows the part, and decode() nothing.
    const bool cut =
        f.bytes.size() < f.original_length && decode(f.link_type, f.bytes).defect == Defect::truncated;
    const auto ethernet = parse_ethernet(f.bytes);
    const bool many_tags = ethernet && ethernet->tags > 2;  // of which we keep two
    const bool malformed = !rows[row][1].empty() || cut;
    for (std::size_t i = 0; i < names.size(); ++i) {
      std::string theirs = rows[row][i + 3];
      // The end of TCP's options is no option in our layout.
      while (names[i] == "tcp.option_kind" && theirs.ends_with(",0")) theirs.resize(theirs.size() - 2);
      const std::string& ours = fields[std::string(names[i])];
      const bool in_part = quotes || malformed || (many_tags && names[i].starts_with("vlan."));
      const bool same = in_part ? theirs.starts_with(ours) : theirs == ours;
      EXPECT_TRUE(same) << path << " frame " << f.number << " " << names[i] << ": tshark says '" << theirs
                        << "', decode() '" << ours << "'";
      differences += !same;
    }
  }
}

class DecodedCapture : public ::testing::TestWithParam<std::string> {};

TEST_P(DecodedCapture, EveryFieldIsThatOfTshark) {
  if (!testing::have_tshark()) GTEST_SKIP() << "tshark is not installed";
  compare_with_tshark(GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, DecodedCapture, ::testing::ValuesIn(testing::sample_captures()),
                         [](const auto& param) { return testing::test_name(param.param); });

}  // namespace
}  // namespace sekimori::wire

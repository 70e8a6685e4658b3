#include "sys/links.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sekimori::sys {
namespace {

// Newer than the headers of Debian 12 (linux/if_link.h, Linux 6.7).
constexpr std::uint16_t kBridgeMostLearnt = 49;  // IFLA_BR_FDB_MAX_LEARNED

constexpr std::int64_t kPicosecondsPerTick = 10'000'000'000;  // USER_HZ is 100

std::string why(const std::string& what, int error, const std::string& explanation) {
  return explanation.empty() ? fmt::format("{}: {}.", what, std::strerror(error))
                             : fmt::format("{}: {} ({}).", what, std::strerror(error), explanation);
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), std::min(name.size(), std::size_t{IFNAMSIZ - 1}));
  return request;
}

std::uint32_t to_ticks(base::Duration d) {
  return static_cast<std::uint32_t>(d.count() / kPicosecondsPerTick);
}

std::uint32_t on_the_wire(wire::Ipv4 address) { return htonl(address.bits); }
const auto& on_the_wire(const wire::Ipv6& address) { return address.octets; }
constexpr std::uint8_t family_of(wire::Ipv4) { return AF_INET; }
constexpr std::uint8_t family_of(const wire::Ipv6&) { return AF_INET6; }

wire::Mac mac_in(const Attributes& attributes, std::uint16_t attribute) {
  const auto bytes = attributes.find(attribute);
  return bytes.size() == 6 ? wire::Mac::from_octets(reinterpret_cast<const std::uint8_t*>(bytes.data()))
                           : wire::Mac{};
}

template <class Header>
std::optional<std::pair<Header, Attributes>> split(std::span<const std::byte> body) {
  if (body.size() < sizeof(Header)) return std::nullopt;
  Header header;
  std::memcpy(&header, body.data(), sizeof header);
  return std::pair(header, Attributes(body.subspan(NLMSG_ALIGN(sizeof header))));
}

ifinfomsg link_header(int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  return header;
}

constexpr std::uint64_t kLeastBurst = 3092;  // two full frames with their overhead

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;

}  // namespace

base::Result<Links> Links::open(const Namespace& where) {
  auto inside = InNamespace::enter(where);
  if (!inside) return std::unexpected(inside.error());
  auto netlink = NetlinkSocket::open();
  if (!netlink) return std::unexpected(netlink.error());
  const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) return base::fail(why("No socket for settings", errno, ""));
  return Links(std::move(*netlink), control);
}

Links::~Links() {
  if (control_ >= 0) ::close(control_);
}

base::Result<void> Links::execute(NetlinkRequest& request, const std::string& what) {
  const auto answer = netlink_.execute(request);
  if (answer.error == 0) return {};
  return base::fail(why(what, answer.error, answer.explanation));
}

base::Result<int> Links::index(const std::string& name) {
  ifreq request = request_for(name);
  if (::ioctl(control_, SIOCGIFINDEX, &request) != 0)
    return base::fail(why(fmt::format("There is no device {}", name), errno, ""));
  return request.ifr_ifindex;
}

// ---------------------------------------------------------------- making links

base::Result<void> Links::add_veth(const VethEnd& a, const VethEnd& b) {
  auto links = open(a.where);
  if (!links) return std::unexpected(links.error());
  NetlinkRequest request(RTM_NEWLINK, kCreate);
  request.header(ifinfomsg{});
  request.put_text(IFLA_IFNAME, a.name).put(IFLA_ADDRESS, a.mac.octets());
  const auto info = request.begin(IFLA_LINKINFO);
  request.put_text(IFLA_INFO_KIND, "veth");
  const auto data = request.begin(IFLA_INFO_DATA);
  const auto peer = request.begin(VETH_INFO_PEER);
  request.header(ifinfomsg{});
  request.put_text(IFLA_IFNAME, b.name).put(IFLA_ADDRESS, b.mac.octets());
  request.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(b.where.fd()));
  request.end(peer);
  request.end(data);
  request.end(info);
  return links->execute(request, fmt::format("Can't make the veth pair {} - {}", a.name, b.name));
}

base::Result<void> Links::add_bridge(const std::string& name, const BridgeSettings& settings) {
  NetlinkRequest request(RTM_NEWLINK, kCreate);
  request.header(ifinfomsg{});
  request.put_text(IFLA_IFNAME, name).put(IFLA_ADDRESS, settings.mac.octets());
  const auto info = request.begin(IFLA_LINKINFO);
  request.put_text(IFLA_INFO_KIND, "bridge");
  const auto data = request.begin(IFLA_INFO_DATA);
  request.put(IFLA_BR_AGEING_TIME, to_ticks(settings.ageing));
  request.put(IFLA_BR_MCAST_SNOOPING, std::uint8_t{settings.snoops});
  if (settings.querier) {
    request.put(IFLA_BR_MCAST_QUERY_USE_IFADDR, std::uint8_t{settings.querier_uses_address});
    request.put(IFLA_BR_MCAST_QUERIER, std::uint8_t{1});
  }
  request.put(IFLA_BR_PRIORITY, settings.priority);
  request.put(IFLA_BR_FORWARD_DELAY, settings.stp ? to_ticks(settings.forward_delay) : 0u);
  request.put(IFLA_BR_STP_STATE, std::uint32_t{settings.stp});
  if (settings.group_forward_mask != 0) request.put(IFLA_BR_GROUP_FWD_MASK, settings.group_forward_mask);
  if (settings.most_learnt != 0) request.put(kBridgeMostLearnt, settings.most_learnt);
  if (settings.vlan_filtering) {
    request.put(IFLA_BR_VLAN_FILTERING, std::uint8_t{1});
    request.put(IFLA_BR_VLAN_DEFAULT_PVID, std::uint16_t{0});
  }
  request.end(data);
  request.end(info);
  return execute(request, fmt::format("Can't make the bridge {}", name));
}

base::Result<void> Links::add_macvlan(const VethEnd& end, const std::string& lower, MacvlanMode mode) {
  constexpr std::uint32_t kModes[] = {MACVLAN_MODE_BRIDGE, MACVLAN_MODE_VEPA, MACVLAN_MODE_PRIVATE,
                                      MACVLAN_MODE_PASSTHRU};
  const auto below = index(lower);
  if (!below) return std::unexpected(below.error());
  ifinfomsg header{};
  header.ifi_flags = IFF_ALLMULTI;
  header.ifi_change = IFF_ALLMULTI;
  NetlinkRequest request(RTM_NEWLINK, kCreate);
  request.header(header);
  request.put_text(IFLA_IFNAME, end.name).put(IFLA_ADDRESS, end.mac.octets());
  request.put(IFLA_LINK, static_cast<std::uint32_t>(*below));
  request.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(end.where.fd()));
  const auto info = request.begin(IFLA_LINKINFO);
  request.put_text(IFLA_INFO_KIND, "macvlan");
  const auto data = request.begin(IFLA_INFO_DATA);
  request.put(IFLA_MACVLAN_MODE, kModes[static_cast<std::size_t>(mode)]);
  request.end(data);
  request.end(info);
  return execute(request, fmt::format("Can't make the macvlan {} on {}", end.name, lower));
}

base::Result<void> Links::add_vlan_device(const std::string& name, const std::string& lower,
                                          std::uint16_t vlan, std::optional<wire::Mac> mac) {
  const auto below = index(lower);
  if (!below) return std::unexpected(below.error());
  NetlinkRequest request(RTM_NEWLINK, kCreate);
  request.header(ifinfomsg{}).put_text(IFLA_IFNAME, name).put(IFLA_LINK, static_cast<std::uint32_t>(*below));
  if (mac) request.put(IFLA_ADDRESS, mac->octets());
  const auto info = request.begin(IFLA_LINKINFO);
  request.put_text(IFLA_INFO_KIND, "vlan");
  const auto data = request.begin(IFLA_INFO_DATA);
  request.put(IFLA_VLAN_ID, vlan);
  request.end(data);
  request.end(info);
  return execute(request, fmt::format("Can't make the VLAN device {} on {}", name, lower));
}

namespace {

template <class Value>
void put_bridge_option(NetlinkRequest& request, std::uint16_t option, const Value& value) {
  const auto info = request.begin(IFLA_LINKINFO);
  request.put_text(IFLA_INFO_KIND, "bridge");
  const auto data = request.begin(IFLA_INFO_DATA);
  request.put(option, value);
  request.end(data);
  request.end(info);
}

}  // namespace

base::Result<void> Links::set_ageing(const std::string& bridge, base::Duration ageing) {
  const auto at = index(bridge);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(link_header(*at));
  put_bridge_option(request, IFLA_BR_AGEING_TIME, to_ticks(ageing));
  return execute(request, fmt::format("Can't set the ageing time of {}", bridge));
}

base::Result<void> Links::set_stp(const std::string& bridge, bool on) {
  const auto at = index(bridge);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(link_header(*at));
  put_bridge_option(request, IFLA_BR_STP_STATE, std::uint32_t{on});
  return execute(request, fmt::format("Can't set the spanning tree of {}", bridge));
}

base::Result<void> Links::set_querier(const std::string& bridge, bool on) {
  const auto at = index(bridge);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(link_header(*at));
  put_bridge_option(request, IFLA_BR_MCAST_QUERIER, std::uint8_t{on});
  return execute(request, fmt::format("Can't make a querier of {}", bridge));
}

base::Result<void> Links::set_most_learnt(const std::string& bridge, std::uint32_t most) {
  const auto at = index(bridge);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(link_header(*at));
  put_bridge_option(request, kBridgeMostLearnt, most);
  return execute(request, fmt::format("Can't bound the table of {}", bridge));
}

base::Result<void> Links::set_learning(const std::string& port, bool on) {
  const auto at = index(port);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(link_header(*at));
  const auto info = request.begin(IFLA_LINKINFO);
  request.put_text(IFLA_INFO_SLAVE_KIND, "bridge");
  const auto data = request.begin(IFLA_INFO_SLAVE_DATA);
  request.put(IFLA_BRPORT_LEARNING, static_cast<std::uint8_t>(on));
  request.end(data);
  request.end(info);
  return execute(request, fmt::format("Can't set the learning of {}", port));
}

base::Result<void> Links::flush_fdb(const std::string& bridge) {
  const auto at = index(bridge);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(link_header(*at));
  const auto info = request.begin(IFLA_LINKINFO);
  request.put_text(IFLA_INFO_KIND, "bridge");
  const auto data = request.begin(IFLA_INFO_DATA);
  request.end(request.begin(IFLA_BR_FDB_FLUSH));  // a flag: it has no value
  request.end(data);
  request.end(info);
  return execute(request, fmt::format("Can't flush the table of {}", bridge));
}

base::Result<void> Links::remove(const std::string& name) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_DELLINK, 0);
  request.header(link_header(*at));
  return execute(request, fmt::format("Can't remove {}", name));
}

base::Result<void> Links::set_up(const std::string& name, bool up) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  ifinfomsg header = link_header(*at);
  header.ifi_change = IFF_UP;
  header.ifi_flags = up ? static_cast<unsigned>(IFF_UP) : 0;
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(header);
  return execute(request, fmt::format("Can't switch {} {}", name, up ? "on" : "off"));
}

base::Result<void> Links::set_alias(const std::string& name, std::string_view alias) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(link_header(*at)).put_text(IFLA_IFALIAS, alias);
  return execute(request, fmt::format("Can't give {} an alias", name));
}

base::Result<void> Links::enslave(const std::string& name, const std::string& bridge) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  const auto master = index(bridge);
  if (!master) return std::unexpected(master.error());
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(link_header(*at));
  request.put(IFLA_MASTER, static_cast<std::uint32_t>(*master));
  return execute(request, fmt::format("Can't make {} a port of {}", name, bridge));
}

base::Result<void> Links::set_port(const std::string& name, const BridgePortSettings& settings) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(link_header(*at));
  const auto info = request.begin(IFLA_LINKINFO);
  request.put_text(IFLA_INFO_SLAVE_KIND, "bridge");
  const auto data = request.begin(IFLA_INFO_SLAVE_DATA);
  const auto flag = [&](std::uint16_t attribute, bool on) {
    request.put(attribute, static_cast<std::uint8_t>(on));
  };
  flag(IFLA_BRPORT_LEARNING, settings.learning);
  flag(IFLA_BRPORT_UNICAST_FLOOD, settings.floods_unknown);
  flag(IFLA_BRPORT_MCAST_FLOOD, settings.floods_multicast);
  flag(IFLA_BRPORT_BCAST_FLOOD, settings.floods_broadcast);
  flag(IFLA_BRPORT_ISOLATED, settings.isolated);
  flag(IFLA_BRPORT_MODE, settings.hairpin);
  flag(IFLA_BRPORT_LOCKED, settings.locked);
  flag(IFLA_BRPORT_NEIGH_SUPPRESS, settings.neigh_suppress);
  request.put(IFLA_BRPORT_GROUP_FWD_MASK, settings.group_forward_mask);
  if (settings.path_cost != 0) request.put(IFLA_BRPORT_COST, settings.path_cost);
  request.end(data);
  request.end(info);
  return execute(request, fmt::format("Can't set the bridge port {}", name));
}

base::Result<void> Links::disable_offloads(const std::string& name) {
  // Without checksums TCP segmentation goes, too; ETHTOOL_SGSO stops the kernel's own segments.
  for (const std::uint32_t command : {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO}) {
    ethtool_value value{command, 0};
    ifreq request = request_for(name);
    request.ifr_data = reinterpret_cast<char*>(&value);
    if (::ioctl(control_, SIOCETHTOOL, &request) != 0 && errno != EOPNOTSUPP)
      return base::fail(why(fmt::format("Can't switch the offloads of {} off", name), errno, ""));
  }
  return {};
}

// net/sched/sch_tbf.c. The bucket holds what the timer's slack may cost, 1 ms, or two full frames.
base::Result<void> Links::shape(const std::string& name, const Shaper& shaper) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  const auto bytes_per_second = static_cast<std::uint64_t>(shaper.rate.bits_per_second / 8);
  const auto burst =
      static_cast<std::uint32_t>(std::max<std::uint64_t>(bytes_per_second / 1000, kLeastBurst));
  tc_tbf_qopt options{};
  options.rate.linklayer = TC_LINKLAYER_ETHERNET;
  options.rate.overhead = static_cast<std::uint16_t>(shaper.overhead);
  options.rate.mpu = static_cast<std::uint16_t>(shaper.least);
  options.rate.rate =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes_per_second, ~std::uint32_t{0}));
  options.limit = shaper.queue_bytes;

  tcmsg header{};
  header.tcm_ifindex = *at;
  header.tcm_parent = TC_H_ROOT;
  header.tcm_handle = 0x10000;
  NetlinkRequest request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
  request.header(header);
  request.put_text(TCA_KIND, "tbf");
  const auto nest = request.begin(TCA_OPTIONS);
  request.put(TCA_TBF_PARMS, options);
  request.put(TCA_TBF_RATE64, bytes_per_second);
  request.put(TCA_TBF_BURST, burst);
  request.end(nest);
  return execute(request, fmt::format("Can't shape {} to {}", name, base::to_text(shaper.rate)));
}

// ---------------------------------------------------------------- addresses and entries

namespace {

template <class Prefix>
ifaddrmsg address_header(const Prefix& address, int device) {
  ifaddrmsg header{};
  header.ifa_family = family_of(address.address);
  header.ifa_prefixlen = static_cast<std::uint8_t>(address.length);
  header.ifa_index = static_cast<std::uint32_t>(device);
  return header;
}

}  // namespace

base::Result<void> Links::add_address(const std::string& name, wire::Ipv4Prefix address) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  NetlinkRequest request(RTM_NEWADDR, kCreate);
  request.header(address_header(address, *at));
  request.put(IFA_LOCAL, on_the_wire(address.address)).put(IFA_ADDRESS, on_the_wire(address.address));
  if (address.length < 31) request.put(IFA_BROADCAST, htonl(address.address.bits | ~address.mask()));
  return execute(request, fmt::format("Can't give {} the address {}", name, wire::to_text(address)));
}

base::Result<void> Links::add_address(const std::string& name, const wire::Ipv6Prefix& address) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  ifaddrmsg header = address_header(address, *at);
  header.ifa_flags = IFA_F_NODAD;
  NetlinkRequest request(RTM_NEWADDR, kCreate);
  request.header(header);
  request.put(IFA_ADDRESS, on_the_wire(address.address));
  return execute(request, fmt::format("Can't give {} the address {}", name, wire::to_text(address)));
}

template <class Prefix, class Address>
base::Result<void> Links::enter_route(const Prefix& destination, const Address& via) {
  rtmsg header{};
  header.rtm_family = family_of(via);
  header.rtm_dst_len = static_cast<std::uint8_t>(destination.length);
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  NetlinkRequest request(RTM_NEWROUTE, kCreate);
  request.header(header);
  const auto network = destination.network();
  if (destination.length > 0) request.put(RTA_DST, on_the_wire(network));
  request.put(RTA_GATEWAY, on_the_wire(via));
  return execute(request,
                 fmt::format("Can't route {} via {}", wire::to_text(destination), wire::to_text(via)));
}

base::Result<void> Links::add_route(wire::Ipv4Prefix destination, wire::Ipv4 via) {
  return enter_route(destination, via);
}
base::Result<void> Links::add_route(const wire::Ipv6Prefix& destination, const wire::Ipv6& via) {
  return enter_route(destination, via);
}

base::Result<void> Links::add_vlan(const std::string& name, std::uint16_t vlan, bool is_pvid,
                                   bool is_bridge) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  ifinfomsg header = link_header(*at);
  header.ifi_family = PF_BRIDGE;
  NetlinkRequest request(RTM_SETLINK, 0);
  request.header(header);
  const auto spec = request.begin(IFLA_AF_SPEC);
  if (is_bridge) request.put(IFLA_BRIDGE_FLAGS, std::uint16_t{BRIDGE_FLAGS_SELF});
  const bridge_vlan_info info{
      static_cast<std::uint16_t>(is_pvid ? BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED : 0), vlan};
  request.put(IFLA_BRIDGE_VLAN_INFO, info);
  request.end(spec);
  return execute(request, fmt::format("Can't make {} a member of VLAN {}", name, vlan));
}

base::Result<void> Links::add_fdb_entry(const std::string& port, wire::Mac mac, bool sticky,
                                        std::uint16_t vlan) {
  const auto at = index(port);
  if (!at) return std::unexpected(at.error());
  ndmsg header{};
  header.ndm_family = PF_BRIDGE;
  header.ndm_ifindex = *at;
  header.ndm_state = NUD_NOARP;
  header.ndm_flags = static_cast<std::uint8_t>(NTF_MASTER | (sticky ? NTF_STICKY : 0));
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  request.header(header);
  request.put(NDA_LLADDR, mac.octets());
  if (vlan != 0) request.put(NDA_VLAN, vlan);
  return execute(request, fmt::format("Can't enter {} at the bridge port {}", wire::to_text(mac), port));
}

template <class Address>
base::Result<void> Links::add_permanent(const std::string& name, const Address& ip, wire::Mac mac) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  ndmsg header{};
  header.ndm_family = family_of(ip);
  header.ndm_ifindex = *at;
  header.ndm_state = NUD_PERMANENT;
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  request.header(header);
  request.put(NDA_DST, on_the_wire(ip)).put(NDA_LLADDR, mac.octets());
  return execute(request, fmt::format("Can't enter {} at {}", wire::to_text(ip), name));
}

base::Result<void> Links::add_neighbour(const std::string& name, wire::Ipv4 ip, wire::Mac mac) {
  return add_permanent(name, ip, mac);
}
base::Result<void> Links::add_neighbour(const std::string& name, const wire::Ipv6& ip, wire::Mac mac) {
  return add_permanent(name, ip, mac);
}

base::Result<void> Links::remove_fdb_entry(const std::string& port, wire::Mac mac) {
  const auto at = index(port);
  if (!at) return std::unexpected(at.error());
  ndmsg header{};
  header.ndm_family = PF_BRIDGE;
  header.ndm_ifindex = *at;
  header.ndm_flags = NTF_MASTER;
  NetlinkRequest request(RTM_DELNEIGH, 0);
  request.header(header);
  request.put(NDA_LLADDR, mac.octets());
  return execute(request, fmt::format("Can't remove {} from the bridge port {}", wire::to_text(mac), port));
}

// ---------------------------------------------------------------- reading

base::Result<std::vector<LinkState>> Links::list() {
  std::vector<LinkState> links;
  NetlinkRequest request(RTM_GETLINK, 0);
  request.header(ifinfomsg{});
  const auto answer = netlink_.dump(request, [&](std::uint16_t, std::span<const std::byte> body) {
    const auto message = split<ifinfomsg>(body);
    if (!message) return;
    const auto& [header, attributes] = *message;
    LinkState link;
    link.index = header.ifi_index;
    link.master = static_cast<int>(attributes.get<std::uint32_t>(IFLA_MASTER).value_or(0));
    link.name = attributes.text(IFLA_IFNAME);
    link.alias = attributes.text(IFLA_IFALIAS);
    link.mac = mac_in(attributes, IFLA_ADDRESS);
    link.up = (header.ifi_flags & IFF_UP) != 0;
    link.carrier = attributes.get<std::uint8_t>(IFLA_CARRIER).value_or(0) != 0;
    const auto state = attributes.get<std::uint8_t>(IFLA_OPERSTATE).value_or(IF_OPER_UNKNOWN);
    const auto info = attributes.nested(IFLA_LINKINFO);
    // Of a device whose carrier comes and goes, "unknown" means that the kernel has not looked yet: until
    // then a bridge port may well forward, and the device drops all that it is to send
    // (net/sched/sch_generic.c, dev_activate).
    const std::string_view kind = info.text(IFLA_INFO_KIND);
    const bool has_carrier_events = kind == "veth" || kind == "macvlan";
    const auto port_state = info.nested(IFLA_INFO_SLAVE_DATA).get<std::uint8_t>(IFLA_BRPORT_STATE);
    link.passes = (state == IF_OPER_UP || (state == IF_OPER_UNKNOWN && !has_carrier_events)) &&
                  port_state.value_or(BR_STATE_FORWARDING) == BR_STATE_FORWARDING;
    // Older kernels send fewer counters.
    rtnl_link_stats64 stats{};
    const auto bytes = attributes.find(IFLA_STATS64);
    std::memcpy(&stats, bytes.data(), std::min(bytes.size(), sizeof stats));
    link.counters = {static_cast<std::int64_t>(stats.rx_packets), static_cast<std::int64_t>(stats.rx_bytes),
                     static_cast<std::int64_t>(stats.tx_packets), static_cast<std::int64_t>(stats.tx_bytes)};
    links.push_back(std::move(link));
  });
  if (answer.error != 0) return base::fail(why("Can't list the devices", answer.error, answer.explanation));
  return links;
}

base::Result<std::uint32_t> Links::most_learnt(const std::string& bridge) {
  const auto at = index(bridge);
  if (!at) return std::unexpected(at.error());
  std::uint32_t most = 0;
  NetlinkRequest request(RTM_GETLINK, 0);
  request.header(ifinfomsg{});
  const auto answer = netlink_.dump(request, [&](std::uint16_t, std::span<const std::byte> body) {
    const auto message = split<ifinfomsg>(body);
    if (!message || message->first.ifi_index != *at) return;
    const auto data = message->second.nested(IFLA_LINKINFO).nested(IFLA_INFO_DATA);
    most = data.get<std::uint32_t>(kBridgeMostLearnt).value_or(0);
  });
  if (answer.error != 0)
    return base::fail(why(fmt::format("Can't read {}", bridge), answer.error, answer.explanation));
  return most;
}

base::Result<std::vector<FdbEntry>> Links::fdb(const std::string& bridge) {
  const auto at = index(bridge);
  if (!at) return std::unexpected(at.error());
  std::vector<FdbEntry> entries;
  ndmsg header{};
  header.ndm_family = PF_BRIDGE;
  NetlinkRequest request(RTM_GETNEIGH, 0);
  request.header(header);
  request.put(NDA_MASTER, static_cast<std::uint32_t>(*at));
  const auto answer = netlink_.dump(request, [&](std::uint16_t, std::span<const std::byte> body) {
    const auto message = split<ndmsg>(body);
    if (!message || !message->second.has(NDA_MASTER)) return;  // else of the device itself
    const auto& [entry, attributes] = *message;
    FdbEntry found;
    found.mac = mac_in(attributes, NDA_LLADDR);
    found.port = entry.ndm_ifindex;
    found.vlan = attributes.get<std::uint16_t>(NDA_VLAN).value_or(0);
    found.permanent = (entry.ndm_state & NUD_PERMANENT) != 0;
    found.is_static = (entry.ndm_state & NUD_NOARP) != 0;
    if (const auto cache = attributes.get<nda_cacheinfo>(NDA_CACHEINFO))
      found.unheard = base::Duration(std::int64_t{cache->ndm_updated} * kPicosecondsPerTick);
    entries.push_back(found);
  });
  if (answer.error != 0)
    return base::fail(
        why(fmt::format("Can't read the table of {}", bridge), answer.error, answer.explanation));
  return entries;
}

// net/bridge/br_mdb.c, br_mdb_dump: a message for each bridge.
base::Result<std::vector<GroupMember>> Links::group_members(const std::string& bridge) {
  const auto at = index(bridge);
  if (!at) return std::unexpected(at.error());
  std::vector<GroupMember> members;
  br_port_msg header{};
  header.family = PF_BRIDGE;
  NetlinkRequest request(RTM_GETMDB, 0);
  request.header(header);
  const auto note = [&](std::span<const std::byte> bytes) {
    br_mdb_entry entry;
    if (bytes.size() < sizeof entry) return;
    std::memcpy(&entry, bytes.data(), sizeof entry);
    GroupMember member{.group = {}, .port = static_cast<int>(entry.ifindex), .vlan = entry.vid};
    if (entry.addr.proto == htons(ETH_P_IP))
      member.group = wire::to_group({ntohl(entry.addr.u.ip4)});
    else if (entry.addr.proto == htons(ETH_P_IPV6))
      std::memcpy(member.group.octets.data(), &entry.addr.u.ip6, member.group.octets.size());
    if (!member.group.is_zero()) members.push_back(member);
  };
  const auto answer = netlink_.dump(request, [&](std::uint16_t, std::span<const std::byte> body) {
    const auto message = split<br_port_msg>(body);
    if (!message || static_cast<int>(message->first.ifindex) != *at) return;
    message->second.nested(MDBA_MDB).for_each(MDBA_MDB_ENTRY, [&](std::span<const std::byte> group) {
      Attributes(group).for_each(MDBA_MDB_ENTRY_INFO, note);
    });
  });
  if (answer.error != 0)
    return base::fail(
        why(fmt::format("Can't read who is in which group at {}", bridge), answer.error, answer.explanation));
  return members;
}

base::Result<std::vector<NeighbourState>> Links::neighbours() {
  std::vector<NeighbourState> neighbours;
  for (const std::uint8_t family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    if (auto listed = list_neighbours(family, neighbours); !listed) return std::unexpected(listed.error());
  }
  return neighbours;
}

base::Result<void> Links::list_neighbours(std::uint8_t family, std::vector<NeighbourState>& into) {
  ndmsg header{};
  header.ndm_family = family;
  NetlinkRequest request(RTM_GETNEIGH, 0);
  request.header(header);
  const auto answer = netlink_.dump(request, [&](std::uint16_t, std::span<const std::byte> body) {
    const auto message = split<ndmsg>(body);
    // A kernel without IPv6 lists what it has.
    if (!message || message->first.ndm_type != RTN_UNICAST || message->first.ndm_family != family) return;
    const auto& [entry, attributes] = *message;
    constexpr unsigned kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
    NeighbourState found;
    if (family == AF_INET)
      found.ip = {ntohl(attributes.get<std::uint32_t>(NDA_DST).value_or(0))};
    else
      found.ip6 = attributes.get<wire::Ipv6>(NDA_DST).value_or(wire::Ipv6{});
    found.mac = mac_in(attributes, NDA_LLADDR);
    found.device = entry.ndm_ifindex;
    found.usable = (entry.ndm_state & kUsable) != 0;
    found.permanent = (entry.ndm_state & NUD_PERMANENT) != 0;
    into.push_back(found);
  });
  if (answer.error != 0)
    return base::fail(why("Can't read the neighbours", answer.error, answer.explanation));
  return {};
}

base::Result<void> Links::flush_neighbours() {
  const auto all = neighbours();
  if (!all) return std::unexpected(all.error());
  for (const NeighbourState& neighbour : *all) {
    if (neighbour.permanent) continue;
    ndmsg header{};
    header.ndm_family = static_cast<std::uint8_t>(neighbour.ip.is_zero() ? AF_INET6 : AF_INET);
    header.ndm_ifindex = neighbour.device;
    NetlinkRequest request(RTM_DELNEIGH, 0);
    request.header(header);
    if (neighbour.ip.is_zero())
      request.put(NDA_DST, neighbour.ip6.octets);
    else
      request.put(NDA_DST, on_the_wire(neighbour.ip));
    const auto answer = netlink_.execute(request);
    if (answer.error != 0 && answer.error != ENOENT)  // it may have gone by itself
      return base::fail(why("Can't flush a neighbour", answer.error, answer.explanation));
  }
  return {};
}

}  // namespace sekimori::sys

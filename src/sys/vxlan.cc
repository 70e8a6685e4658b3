// VXLAN devices (drivers/net/vxlan/vxlan_core.c; linux/if_link.h, IFLA_VXLAN_*).
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "sys/links.h"

namespace sekimori::sys {
namespace {

constexpr std::uint32_t kTicksPerSecond = 100;  // USER_HZ

}  // namespace

base::Result<void> Links::add_vxlan(const VethEnd& end, const VxlanSettings& settings) {
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.header(ifinfomsg{});
  request.put_text(IFLA_IFNAME, end.name).put(IFLA_ADDRESS, end.mac.octets());
  request.put(IFLA_MTU, settings.mtu);
  request.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(end.where.fd()));
  const auto info = request.begin(IFLA_LINKINFO);
  request.put_text(IFLA_INFO_KIND, "vxlan");
  const auto data = request.begin(IFLA_INFO_DATA);
  request.put(IFLA_VXLAN_ID, settings.vni);
  request.put(IFLA_VXLAN_LOCAL, htonl(settings.local.bits));
  request.put(IFLA_VXLAN_PORT, htons(settings.port));
  request.put(IFLA_VXLAN_LEARNING, std::uint8_t{settings.learning});
  request.put(IFLA_VXLAN_AGEING, static_cast<std::uint32_t>(settings.ageing / base::seconds(1)));
  request.put(IFLA_VXLAN_UDP_CSUM, std::uint8_t{0});
  request.end(data);
  request.end(info);
  return execute(request, fmt::format("Can't make the VXLAN device {}", end.name));
}

base::Result<void> Links::set_mtu(const std::string& name, std::uint32_t bytes) {
  const auto at = index(name);
  if (!at) return std::unexpected(at.error());
  ifinfomsg header{};
  header.ifi_index = *at;
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.header(header);
  request.put(IFLA_MTU, bytes);
  return execute(request, fmt::format("Can't set the MTU of {}", name));
}

base::Result<void> Links::add_remote(const std::string& vxlan, wire::Mac mac, wire::Ipv4 remote) {
  const auto at = index(vxlan);
  if (!at) return std::unexpected(at.error());
  ndmsg header{};
  header.ndm_family = PF_BRIDGE;
  header.ndm_ifindex = *at;
  header.ndm_state = mac.is_zero() ? NUD_PERMANENT : NUD_NOARP | NUD_REACHABLE;  // vxlan_fdb_parse
  header.ndm_flags = NTF_SELF;
  // Of all zeros there is one for each remote end.
  NetlinkRequest request(RTM_NEWNEIGH,
                         static_cast<std::uint16_t>(NLM_F_CREATE | (mac.is_zero() ? NLM_F_APPEND : 0)));
  request.header(header);
  request.put(NDA_LLADDR, mac.octets()).put(NDA_DST, htonl(remote.bits));
  return execute(
      request, fmt::format("Can't enter {} at {} into {}", wire::to_text(mac), wire::to_text(remote), vxlan));
}

base::Result<std::vector<RemoteEntry>> Links::remotes(const std::string& vxlan) {
  const auto at = index(vxlan);
  if (!at) return std::unexpected(at.error());
  std::vector<RemoteEntry> entries;
  ndmsg header{};
  header.ndm_family = PF_BRIDGE;
  header.ndm_ifindex = *at;
  NetlinkRequest request(RTM_GETNEIGH, 0);
  request.header(header);
  const auto answer = netlink_.dump(request, [&](std::uint16_t, std::span<const std::byte> body) {
    if (body.size() < sizeof(ndmsg)) return;
    ndmsg entry;
    std::memcpy(&entry, body.data(), sizeof entry);
    const Attributes attributes(body.subspan(NLMSG_ALIGN(sizeof entry)));
    const auto mac = attributes.find(NDA_LLADDR);
    const auto remote = attributes.get<std::uint32_t>(NDA_DST);
    // Else of the bridge above, or for all that is unknown.
    if (entry.ndm_ifindex != *at || mac.size() != 6 || !remote || (entry.ndm_state & NUD_PERMANENT) != 0)
      return;
    RemoteEntry found;
    found.mac = wire::Mac::from_octets(reinterpret_cast<const std::uint8_t*>(mac.data()));
    found.remote = {ntohl(*remote)};
    found.is_static = (entry.ndm_state & NUD_NOARP) != 0;
    if (const auto cache = attributes.get<nda_cacheinfo>(NDA_CACHEINFO))
      found.unheard = base::seconds(1) * std::int64_t{cache->ndm_updated} / kTicksPerSecond;
    entries.push_back(found);
  });
  if (answer.error != 0)
    return base::fail(fmt::format("Can't read the table of {}: {}.", vxlan, std::strerror(answer.error)));
  return entries;
}

base::Result<void> Links::flush_remotes(const std::string& vxlan) {
  const auto all = remotes(vxlan);
  if (!all) return std::unexpected(all.error());
  for (const RemoteEntry& entry : *all) {
    if (entry.is_static) continue;
    ndmsg header{};
    header.ndm_family = PF_BRIDGE;
    header.ndm_ifindex = *index(vxlan);
    header.ndm_flags = NTF_SELF;
    NetlinkRequest request(RTM_DELNEIGH, 0);
    request.header(header);
    request.put(NDA_LLADDR, entry.mac.octets());
    const auto answer = netlink_.execute(request);
    if (answer.error != 0 && answer.error != ENOENT)  // it may have gone by itself
      return base::fail(fmt::format("Can't flush the table of {}: {}.", vxlan, std::strerror(answer.error)));
  }
  return {};
}

}  // namespace sekimori::sys

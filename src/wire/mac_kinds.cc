#include "wire/mac_kinds.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace sekimori::wire {
namespace {

constexpr KnownRange one(std::uint64_t mac, std::string_view what) { return {{Mac{mac}, Mac{mac}}, what}; }
constexpr KnownRange range(std::uint64_t first, std::uint64_t last, std::string_view what) {
  return {{Mac{first}, Mac{last}}, what};
}

constexpr KnownRange kWellKnown[] = {
    // net/net.c, qemu_macaddr_default_if_unset: the first NIC without mac= has ..:56, the next ..:57.
    // https://github.com/arighi/virtme-ng/issues/195,
    // https://github.com/quickemu-project/quickemu/issues/1667
    range(0x5254'0012'3456, 0x5254'0012'345f, "what QEMU gives a NIC without mac="),
    // config/default of k8snetworkplumbingwg/kubemacpool: the range begins there and is handed out in order.
    one(0x0200'0000'0000, "the first that KubeMacPool hands out, and the base of simulators"),
    // 02:42 and the IPv4 address, 172.17.0.0/16 on every host: https://github.com/docker/docs/issues/13844
    range(0x0242'ac11'0000, 0x0242'ac11'ffff, "what Docker gives a container on its default bridge"),
    // src/VBox/HostDrivers/VBoxNetAdp: vboxnet0 is ..:00:00, vboxnet1 ..:00:01.
    range(0x0a00'2700'0000, 0x0a00'2700'00ff, "that of VirtualBox's host-only adapters on every host"),
    // The host's side of Xen's vif and of Calico's veth; harmless only as long as it is routed.
    one(0xfeff'ffff'ffff, "that of every host-side Xen vif"),
    one(0xeeee'eeee'eeee, "that of every host-side Calico interface"),
    // mn --mac: host N has ..:0N (mininet/net.py, autoSetMacs).
    range(0x0000'0000'0001, 0x0000'0000'00ff, "what Mininet and other simulators count from"),
    range(0xdead'beef'0000, 0xdead'beef'ffff, "a word in hexadecimal that many choose"),
    one(0x00de'adbe'ef00, "a word in hexadecimal that many choose"),
    one(0x0001'0203'0405, "the first pattern that comes to mind"),
    one(0x0011'2233'4455, "the first pattern that comes to mind"),
    one(0x1234'5678'9abc, "the first pattern that comes to mind"),
    one(0xaabb'ccdd'eeff, "the first pattern that comes to mind"),
};

constexpr KnownRange kReserved[] = {
    // RFC 9542 section 2.1: the IANA's OUI; VRRP's virtual routers have 00-00-5E-00-01-xx and -02-xx
    // (RFC 9568 section 7.3).
    range(0x0000'5e00'0000, 0x0000'5eff'ffff, "the IANA's, with the virtual routers of VRRP"),
    // VMware's documentation, "VMware OUI Allocation": 00:50:56:00 to :3F may be set by hand, :80 to :BF is
    // vCenter's own; hosts give their VMkernel adapters addresses between.
    range(0x0050'5640'0000, 0x0050'567f'ffff, "what ESXi hosts keep for their own adapters"),
    // Network Load Balancing masks its members' source addresses with 02-01 to 02-20 (the host's priority)
    // and gives the cluster 02-BF and the cluster's IPv4 address (Microsoft, MaskSourceMAC).
    range(0x0201'0000'0000, 0x0220'ffff'ffff, "what Network Load Balancing masks source addresses with"),
    range(0x02bf'0000'0000, 0x02bf'ffff'ffff, "what Network Load Balancing gives its clusters"),
    // libvirt, src/util/virnetdevtap.c: the host's end of a guest's NIC has the guest's address with FE in
    // front, and a guest's own that begins so is refused.
    range(0xfe00'0000'0000, 0xfeff'ffff'fffe, "what libvirt gives the host's end of a guest's NIC"),
};

constexpr KnownRange kDrawn[] = {
    // Xen's xl (docs/misc/xl-network-configuration) and virt-install.
    range(0x0016'3e00'0000, 0x0016'3eff'ffff, "Xen's tools and virt-install"),
    // src/VBox/Main/src-server/HostImpl.cpp: 08:00:27 and three octets of a UUID.
    range(0x0800'2700'0000, 0x0800'27ff'ffff, "VirtualBox"),
    // src/util/virmacaddr.c, virMacAddrGenerate: the prefix and three random octets.
    range(0x5254'0000'0000, 0x5254'00ff'ffff, "libvirt and tools around QEMU"),
};

constexpr std::uint32_t kVirtualMakers[] = {
    0x000569, 0x000c29, 0x001c14, 0x005056,  // VMware
    0x00155d, 0x0003ff, 0x001dd8,            // Microsoft: Hyper-V, Virtual PC, SCVMM
    0x080027, 0x0021f6, 0x00144f,            // Oracle: VirtualBox, Oracle VM, Logical Domains
    0x00163e,                                // Xen
    0x001a4a,                                // Qumranet: oVirt, RHV
    0x001c42, 0x001851,                      // Parallels, Virtuozzo
    0x506b8d,                                // Nutanix AHV
    0xbc2411,                                // Proxmox
};

const KnownRange* find(std::span<const KnownRange> table, Mac mac) {
  const auto row = std::ranges::find_if(table, [&](const KnownRange& r) { return r.range.contains(mac); });
  return row == table.end() ? nullptr : &*row;
}

}  // namespace

const KnownRange* well_known(Mac mac) { return find(kWellKnown, mac); }
const KnownRange* drawn_from(Mac mac) { return find(kDrawn, mac); }
std::span<const KnownRange> reserved_ranges() { return kReserved; }
std::span<const KnownRange> well_known_ranges() { return kWellKnown; }

bool is_virtual_maker(Mac mac) {
  const auto maker = static_cast<std::uint32_t>(mac.bits >> 24);
  return std::ranges::find(kVirtualMakers, maker) != std::end(kVirtualMakers);
}

bool looks_like_hardware(Mac mac) { return !mac.is_local() && !is_virtual_maker(mac); }

std::optional<MacRange> parse_mac_range(std::string_view text) {
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    const auto base = parse_mac(text.substr(0, slash));
    const std::string_view digits = text.substr(slash + 1);
    int length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (!base || error != std::errc() || end != digits.data() + digits.size() || length < 8 || length > 48)
      return std::nullopt;
    const std::uint64_t free = (std::uint64_t{1} << (48 - length)) - 1;
    return MacRange{Mac{base->bits & ~free}, Mac{base->bits | free}};
  }
  for (std::size_t dash = text.find('-'); dash != std::string_view::npos; dash = text.find('-', dash + 1)) {
    const auto first = parse_mac(base::trim(text.substr(0, dash)));
    const auto last = parse_mac(base::trim(text.substr(dash + 1)));
    if (first && last) return MacRange{*first, *last};
  }
  return std::nullopt;
}

}  // namespace sekimori::wire

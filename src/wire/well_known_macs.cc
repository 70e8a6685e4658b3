#include "wire/well_known_macs.h"

#include <algorithm>

namespace sekimori::wire {
namespace {

struct WellKnown {
  Mac first, last;
  std::string_view what;
};

constexpr WellKnown one(std::uint64_t mac, std::string_view what) { return {Mac{mac}, Mac{mac}, what}; }

constexpr WellKnown kTable[] = {
    // net/net.c, qemu_macaddr_default_if_unset: the first NIC without mac= has ..:56, the next ..:57.
    // https://github.com/arighi/virtme-ng/issues/195,
    // https://github.com/quickemu-project/quickemu/issues/1667
    {Mac{0x5254'0012'3456}, Mac{0x5254'0012'345f}, "what QEMU gives a NIC without mac="},
    // config/default of k8snetworkplumbingwg/kubemacpool: the range begins there and is handed out in order.
    one(0x0200'0000'0000, "the first that KubeMacPool hands out, and the base of simulators"),
    // 02:42 and the IPv4 address, 172.17.0.0/16 on every host: https://github.com/docker/docs/issues/13844
    {Mac{0x0242'ac11'0000}, Mac{0x0242'ac11'ffff}, "what Docker gives a container on its default bridge"},
    // src/VBox/HostDrivers/VBoxNetAdp: vboxnet0 is ..:00:00, vboxnet1 ..:00:01.
    {Mac{0x0a00'2700'0000}, Mac{0x0a00'2700'00ff}, "that of VirtualBox's host-only adapters on every host"},
    // The host's side of Xen's vif and of Calico's veth; harmless only as long as it is routed.
    one(0xfeff'ffff'ffff, "that of every host-side Xen vif"),
    one(0xeeee'eeee'eeee, "that of every host-side Calico interface"),
    // mn --mac: host N has ..:0N (mininet/net.py, autoSetMacs).
    {Mac{0x0000'0000'0001}, Mac{0x0000'0000'00ff}, "what Mininet and other simulators count from"},
    {Mac{0xdead'beef'0000}, Mac{0xdead'beef'ffff}, "a word in hexadecimal that many choose"},
    one(0x00de'adbe'ef00, "a word in hexadecimal that many choose"),
    one(0x0001'0203'0405, "the first pattern that comes to mind"),
    one(0x0011'2233'4455, "the first pattern that comes to mind"),
    one(0x1234'5678'9abc, "the first pattern that comes to mind"),
    one(0xaabb'ccdd'eeff, "the first pattern that comes to mind"),
};

}  // namespace

std::optional<std::string_view> well_known(Mac mac) {
  const auto* const row = std::ranges::find_if(
      kTable, [&](const WellKnown& entry) { return entry.first <= mac && mac <= entry.last; });
  return row == std::end(kTable) ? std::nullopt : std::optional(row->what);
}

}  // namespace sekimori::wire

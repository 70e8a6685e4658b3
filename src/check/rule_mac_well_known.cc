// Addresses that everybody has. A default that a product uses when none is configured, or a joke that comes
// to many minds, is on the next host as well; the day the two meet in a segment, both lose their network. So
// such an address is wrong before there is a second one.
//
// Judged by where it is: on a running machine whose segment reaches other machines that hold guests, where a
// twin may be started any day, it is an error; switched off, or with no other host in its segment, a warning.
// When the twin is there already, it is a `mac-duplicate` besides.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "check/words.h"

namespace sekimori::check {
namespace {

using model::MachineId;
using model::MachineKind;
using model::MacOrigin;
using model::StationId;
using wire::Mac;

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

const WellKnown* known(Mac mac) {
  const auto* const row = std::ranges::find_if(
      kTable, [&](const WellKnown& entry) { return entry.first <= mac && mac <= entry.last; });
  return row == std::end(kTable) ? nullptr : row;
}

// By segment: the machine that holds its guests, as long as it is one.
class Hosts {
 public:
  explicit Hosts(const Site& site) : site_(site), first_(site.segments.list.size()), several_(first_.size()) {
    const model::Model& m = site.model;
    for (std::size_t i = 0; i < first_.size(); ++i) {
      for (const auto& [bridge, vlan] : site.segments.list[i].bridges) {
        const MachineId host = m[bridge].machine;
        if (!host.valid() || m[host].kind == MachineKind::kGuest) continue;
        if (!first_[i].valid()) first_[i] = host;
        several_[i] |= first_[i] != host;
      }
    }
  }

  // A machine other than the station's own host has guests, or could have, in its segment.
  bool may_meet_another(StationId s) const {
    const model::Machine& machine = site_.model[site_.model[s].machine];
    const MachineId own = machine.host.valid() ? machine.host : site_.model[s].machine;
    const std::uint32_t segment = site_.segments.of_station[s.index()];
    return several_[segment] != 0 || (first_[segment].valid() && first_[segment] != own);
  }

 private:
  const Site& site_;
  std::vector<MachineId> first_;
  std::vector<char> several_;
};

}  // namespace

void rule_mac_well_known(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  std::map<Mac, std::vector<StationId>> found;
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    // Allocated ones are this program's own; those of clones are the original's.
    if (m.stations[s].mac_origin != MacOrigin::kDeclared) continue;
    if (known(m.stations[s].mac) != nullptr) found[m.stations[s].mac].emplace_back(s);
  }
  if (found.empty()) return;
  const Hosts hosts(site);
  for (const auto& [mac, stations] : found) {
    const bool meets = std::ranges::any_of(stations, [&](StationId s) {
      return site.starts[m[s].machine.index()] != base::kNever && hosts.may_meet_another(s);
    });
    findings::Finding f = proved(findings::Code::kMacWellKnown);
    f.severity = meets ? findings::Severity::kError : findings::Severity::kWarning;
    f.stations = stations;
    f.where = names(m, stations);
    f.line = m[stations.front()].line;
    f.headline = fmt::format("{} {} the MAC {}, {}", f.where, stations.size() == 1 ? "has" : "have",
                             wire::to_text(mac), known(mac)->what);
    f.cause = fmt::format(
        "{} is no address of its own but one that others use, too. {}, the two take each other's frames. "
        "Leave `mac` out or draw one at random.",
        wire::to_text(mac),
        meets ? "Other machines with virtual switches are in its segment; when one of them uses it"
              : "As soon as it is in a segment with another that uses it");
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check

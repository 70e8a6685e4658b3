// Bonding: several NICs of a machine as one (Linux: drivers/net/bonding; `mode` of a bond). What the machine
// sends leaves by one of them, what comes in at one is the machine's, and nothing ever goes from one to
// another: a bond is no bridge. The modes differ in who may be at the other end:
//
//   mode            leaves by                     takes from       bears as its source   other end
//   active-backup   the active one                the active one   the bond's MAC        any switches
//   balance-rr      each in turn                  all              the bond's MAC        one aggregation
//   group balance-xor     one by a hash of the frame    all              the bond's MAC        one
//   aggregation group broadcast       all                           all              the bond's MAC separate
//   networks 802.3ad         as balance-xor, within one    that aggregator  the bond's MAC        a group
//   with LACP
//                   aggregator
//   balance-tlb     one by a hash; what is no     the active one   MAC of the NIC it     any switches
//                   unicast IP, the active one                     leaves by
//   balance-alb     the same; its own ARP, the    the active one,  the same, and ARP     any switches
//                   client's                      each for its MAC replies tell it
//
// Without an aggregation group at the other end the first group of modes shows the switches one MAC at
// several ports (`flap-teaming`); with one, the other modes lose what the switch sends to a NIC that is not
// listened to (`bond-mismatch`).
//
// **The active one** of active-backup, balance-tlb and balance-alb is the `primary` whenever its link is up;
// else it remains until its link is lost, and then is the first in the list that is up. A bond in
// active-backup announces its own IP addresses from the new one (num_grat_arp 1). Nobody announces what is on
// a bridge above it, so the network keeps sending to where these were until they speak.
//
// **802.3ad**: NICs whose far ends are one group of one switch are an aggregator; a NIC whose far end says
// nothing is one by itself. One aggregator works at a time: one with a partner before one without, then that
// with the highest bandwidth, and it remains until all of its links are lost (ad_select stable). A group of a
// site's switch is taken to answer LACP.
//
// **balance-tlb and -alb** give each NIC a MAC of its own, the bond's to the active one; when that changes,
// the two swap. What leaves by another bears that NIC's MAC, so the network never hears the bond's MAC in it:
// only ARP, and the *learning packets* that every NIC sends to itself each second (lp_interval), keep it in
// the tables, and those reach the first switch only, which has no other port for them. balance-alb spreads
// what is received, too: each client that asks by ARP is told the MAC of one NIC, and after the machine has
// asked something by broadcast itself, which tells everybody the bond's MAC, the clients are told again.
//
// ARP requests of balance-alb leave by the client's NIC as well, but say the bond's MAC.
//
// Which NIC: hash modulo the NICs that are up. layer2 is the last bytes of the MACs and the EtherType XORed;
// layer2+3 XORs the IP addresses to it and folds; layer3+4 begins with the ports instead and drops the lowest
// bit. balance-tlb and -alb are as with `tlb_dynamic_lb 0`: by default Linux gives a destination to the NIC
// with the least load and looks again every ten seconds, which spreads in the same way in the long run. The
// clients of balance-alb are spread by the last bits of their addresses, where Linux counts round.
//
// Sources: Linux, drivers/net/bonding/bond_main.c (bond_handle_frame, bond_should_deliver_exact_match,
// bond_find_best_slave, bond_xmit_hash, bond_change_active_slave), bond_alb.c (bond_tlb_xmit, bond_alb_xmit,
// rlb_arp_xmit, alb_send_lp_vid), bond_3ad.c (ad_agg_selection_test); Documentation/networking/bonding.rst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "model/bond_mode.h"
#include "model/model.h"

namespace sekimori::switching {

// What a bond reads of a frame.
struct BondPacket {
  wire::Mac destination, source;
  std::uint16_t ethertype = 0;
  bool is_ip = false;  // IPv4 or IPv6:
  // Its addresses as 32-bit words in the machine's order, of IPv6 the four words XORed (ipv6_addr_hash).
  std::uint32_t source_ip = 0, destination_ip = 0;
  std::uint16_t source_port = 0, destination_port = 0;

  // An ICMP echo has type and code in place of the ports, and its identifier, which the kernel keeps in the
  // machine's order (net/core/flow_dissector.c, skb_flow_get_icmp_tci).
  void set_echo(std::uint8_t type, std::uint8_t code, std::uint16_t id) {
    source_port = static_cast<std::uint16_t>(type << 8 | code);
    destination_port = id == 0 ? 0x100 : __builtin_bswap16(id);
  }
};

// An IPv6 address as the hash takes it.
constexpr std::uint32_t folded(const wire::Ipv6& address) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < address.octets.size(); ++i)
    word ^= std::uint32_t{address.octets[i]} << (24 - i % 4 * 8);
  return word;
}

std::uint32_t bond_hash(model::HashPolicy policy, const BondPacket& packet);

// Sends from one MAC by several NICs at once, so that the other ends must be one.
constexpr bool needs_aggregation(model::BondMode mode) {
  using enum model::BondMode;
  return mode == kBalanceRr || mode == kBalanceXor || mode == kBroadcast;
}
// Gives each NIC a MAC of its own.
constexpr bool balances_load(model::BondMode mode) {
  using enum model::BondMode;
  return mode == kBalanceTlb || mode == kBalanceAlb;
}

constexpr base::Duration kLearningPacketInterval = base::seconds(1);

// A bond and the state of its NICs, which are numbered as the bridge's uplink ports stand.
class Bond {
 public:
  using Nic = std::size_t;
  static constexpr Nic kNoNic = ~Nic{0};

  // With these of its links up, and settled so.
  Bond(const model::Model& site, model::BridgeId bridge,
       const std::function<bool(model::PortId)>& has_carrier);

  model::PortId above() const { return above_; }  // towards the machine
  std::size_t size() const { return nics_.size(); }
  model::PortId port(Nic nic) const { return nics_[nic].port; }
  Nic nic_at(model::PortId port) const;
  Nic active() const { return active_; }

  // Returns whether another NIC has become the active one.
  bool set_carrier(Nic nic, bool up);

  // It sends and takes, or would; else it stands by, or has no link.
  bool works(Nic nic) const;
  // Whether what comes in there is the machine's.
  bool takes(Nic nic, wire::Mac destination) const;
  // The NICs that a frame leaves by: one, in mode `broadcast` all, none when all are down.
  std::span<const Nic> leaves_by(const BondPacket& packet);
  // balance-alb: the NIC that is to receive what this client sends, and by which the machine speaks to it in
  // ARP; kNoNic: nothing is told.
  Nic nic_of_client(std::uint32_t client_ip) const;
  // Who was answered so, on a VLAN or without a tag (0); and what all of them are to be told again once the
  // machine has asked from that address of its own (0: from any): the NIC's MAC.
  struct Client {
    std::uint32_t ip, machine_ip;
    wire::Mac mac;
    std::uint16_t tag;
  };
  struct Notice {
    Nic nic;
    Client client;
  };
  void note_client(const Client& client) {
    clients_.insert_or_assign({client.ip, client.machine_ip}, client);
  }
  std::vector<Notice> notices(std::uint32_t machine_ip) const;

  // The MAC that the NIC has, which balance-tlb and -alb give to what leaves there.
  wire::Mac mac(Nic nic) const { return nics_[nic].mac; }
  wire::Mac own_mac() const { return own_; }
  // What a frame from the machine bears as its source when it leaves there.
  wire::Mac source_at(Nic nic, wire::Mac source) const;

 private:
  struct Member {
    model::PortId port;
    wire::Mac mac;
    std::uint64_t aggregator = 0;  // alike where the far ends are one group; else the port itself
    bool has_partner = false;
    std::int64_t bits_per_second = 0;
    bool up = false;
  };
  Nic chosen(std::uint32_t hash) const;
  Nic next_from(Nic first) const;
  void choose();
  void choose_aggregator();

  model::BondMode mode_;
  model::HashPolicy policy_;
  Nic primary_ = kNoNic;
  model::PortId above_;
  wire::Mac own_;
  bool is_bridged_ = false;  // a bridge is above it, so its NICs are promiscuous
  std::vector<Member> nics_;
  Nic active_ = kNoNic;  // of 802.3ad: one of the aggregator that works
  std::uint32_t sent_ = 0;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Client> clients_;  // by both addresses
  std::vector<Nic> leaving_;                                           // the answer of leaves_by()
};

// The bond's NICs that neither send nor take anything with these links up: those that stand by.
void stand_by(const model::Model& site, const std::vector<bool>& link_up, std::vector<bool>& blocked);

}  // namespace sekimori::switching

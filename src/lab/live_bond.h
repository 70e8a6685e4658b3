// A bond at work on a real kernel's devices (switching/bond.h), for all kernels, with the decisions of the
// simulator (simulate/fabric_bond.cc): which NIC a frame takes, what its source becomes there, the learning
// packets and ARP replies of balance-tlb and -alb, and the announcement when another NIC takes over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/model.h"
#include "switching/bond.h"
#include "wire/bytes.h"
#include "wire/decode.h"

namespace sekimori::lab {

class LiveBond {
 public:
  using Bytes = std::span<const std::byte>;
  using Send = std::function<void(model::PortId port, Bytes frame)>;
  LiveBond(const model::Model& site, model::BridgeId id,
           const std::function<bool(model::PortId)>& has_carrier, Send send);

  // A frame, without FCS, that has come in at one of its ports.
  void receive(model::PortId in, Bytes frame);
  void set_carrier(model::PortId port, bool on);
  void on_time(base::Time now);
  base::Time next_due() const { return due_; }

 private:
  using Nic = switching::Bond::Nic;
  void leave(Nic nic, Bytes frame);
  bool balance_arp(const wire::Packet& frame, Bytes bytes);
  void tell_clients(model::Ipv4 own);
  void announce(const model::Station& station);
  void send_learning_packets();
  void send_made(model::PortId port, const wire::Buffer& frame);

  const model::Model& site_;
  const bool balances_;
  switching::Bond bond_;
  std::vector<model::StationId> stations_;  // the machine's own on it
  Send send_;
  base::Time due_ = base::kNever;
  std::vector<std::byte> scratch_;
};

}  // namespace sekimori::lab

// A live switch's part in the spanning tree: the protocols of switching/stp.h and rstp.h with the machine's
// clock, BPDUs on the wire and the carriers of its ports. The simulator plays the same ones for its own
// (simulate/fabric_tree.cc).
//
// It begins with the tree as the whole site settles on it, as a run of the simulator does; so what the site
// takes for granted need not be waited for. Bridges have the addresses of the plan, which are in the order of
// the model, so ties end as predicted.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "lab/live_switch.h"
#include "lab/plan.h"
#include "switching/rstp.h"
#include "switching/stp.h"
#include "wire/bytes.h"

namespace sekimori::lab {

class LiveTree {
 public:
  using Send = std::function<void(model::PortId port, std::span<const std::byte> frame)>;
  // `bridge` does what the tree says; both must outlive it.
  LiveTree(const model::Model& site, const Plan& plan, model::BridgeId id, LiveSwitch& bridge, Send send);

  // `settled` is by port of the model. A port without a carrier has no part in the tree.
  void settle(const std::vector<switching::tree::Settled>& settled,
              const std::function<bool(model::PortId)>& has_carrier, base::Time now);
  void set_carrier(model::PortId port, bool on, base::Time now);
  // What comes behind the LLC header.
  void receive(model::PortId port, wire::Bytes payload, base::Time now);
  void on_time(base::Time now);
  base::Time next_due();

  // A line for each port: its number in the model, role, state.
  std::string text();

 private:
  using PortNumber = switching::tree::PortNumber;
  switching::tree::Identifier wire_identifier(switching::tree::Identifier of_model) const;
  std::uint32_t wire_port_of(model::PortId port) const;
  void carry_out(base::Time now);
  template <class Step>
  decltype(auto) with(Step step) {
    return std::visit(std::move(step), protocol_);
  }

  const model::Model& site_;
  const Plan& plan_;
  LiveSwitch& bridge_;
  Send send_;
  std::vector<model::PortId> ports_;  // by their numbers in the protocol
  std::unordered_map<model::PortId, PortNumber> numbers_;
  std::vector<bool> up_;
  std::variant<switching::tree::Stp, switching::tree::Rstp> protocol_;
  switching::tree::Effects effects_;
  wire::Buffer frame_;
};

}  // namespace sekimori::lab

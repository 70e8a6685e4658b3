#include "lab/live_querier.h"

#include <algorithm>

#include "model/multicast.h"
#include "wire/emit.h"

namespace sekimori::lab {

LiveQuerier::LiveQuerier(const model::Model& site, model::BridgeId id, model::Mac mac, LiveSwitch& bridge,
                         Send send)
    : site_(site),
      id_(id),
      mac_(mac),
      bridge_(bridge),
      send_(std::move(send)),
      vlans_(model::vlans_of(site, id)),
      offset_(base::seconds(std::ranges::count_if(site.bridges.begin(), site.bridges.begin() + id.value,
                                                  [](const model::Bridge& b) { return b.querier; }))) {}

void LiveQuerier::begin(base::Time now) {
  asked_ = 0;
  due_ = now + base::milliseconds(1) + offset_;
}

void LiveQuerier::pause(base::Time now) { due_ = now + switching::kStartupQuery; }

void LiveQuerier::on_time(base::Time now) {
  // Twice in the beginning, a quarter as long apart (RFC 3376 section 8.6).
  due_ += asked_++ == 0 ? switching::kStartupQuery : switching::kQueryInterval;
  switching::Snooping* snooping = bridge_.snooping();
  if (snooping == nullptr) return;
  for (const std::uint16_t vlan : vlans_) {
    for (const bool ipv6 : {false, true}) {
      const wire::Group own = ipv6 ? wire::link_local(mac_) : wire::to_group(site_[id_].querier_ip);
      if (model::asks_for(site_, id_, ipv6) && snooping->asks(vlan, own, now)) ask(vlan, own);
    }
  }
}

void LiveQuerier::ask(std::uint16_t vlan, const wire::Group& own) {
  wire::Listening query;
  query.ipv6 = !wire::is_ipv4(own);
  query.source = own;
  query.is_old_query = true;
  query.patience_ms = static_cast<std::uint32_t>(switching::kQueryResponse / base::milliseconds(1));
  wire::Buffer frame;
  wire::append_listening(frame, {.source = mac_}, query);
  for (const LiveSwitch::Copy& copy : bridge_.everywhere(vlan)) send_(copy, std::as_bytes(std::span(frame)));
}

}  // namespace sekimori::lab

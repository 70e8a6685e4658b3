// Heartbeats of Microsoft Network Load Balancing (EtherType 0x886f), as far as they are known (tcpdump's
// print-msnlb.c). They foretell floods: in unicast mode all hosts share a MAC (02-bf-...) that none of them
// ever sends from.
#pragma once

#include <cstdint>

#include "wire/bytes.h"

namespace sekimori::wire {

struct NlbHeartbeat {
  std::uint32_t host_priority = 0;
  Ipv4 cluster_ip{};
  Ipv4 host_ip{};
};

Parsed<NlbHeartbeat> parse_nlb_heartbeat(Bytes payload);

}  // namespace sekimori::wire

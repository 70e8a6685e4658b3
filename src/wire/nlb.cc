#include "wire/nlb.h"

namespace sekimori::wire {

Parsed<NlbHeartbeat> parse_nlb_heartbeat(Bytes payload) {
  Cursor in(payload);
  in.skip(8);
  NlbHeartbeat heartbeat;
  heartbeat.host_priority = __builtin_bswap32(in.u32());  // little endian, unlike the addresses
  heartbeat.cluster_ip = in.ipv4();
  heartbeat.host_ip = in.ipv4();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  return heartbeat;
}

}  // namespace sekimori::wire

#include "wire/igmp.h"

namespace sekimori::wire {

Parsed<Igmp> parse_igmp(Bytes message) {
  Cursor in(message);
  Igmp igmp;
  igmp.type = in.u8();
  in.skip(3);  // response time, checksum
  if (igmp.type == Igmp::kReport3) {
    in.skip(2);
    igmp.records = in.u16();
    if (igmp.records > 0) {
      in.skip(4);  // kind of record, auxiliary length, number of sources
      igmp.group = in.ipv4();
    }
  } else {
    igmp.group = in.ipv4();
  }
  if (!in.ok()) return std::unexpected(Defect::truncated);
  return igmp;
}

}  // namespace sekimori::wire

#include "wire/stp.h"

#include "base/assert.h"

namespace sekimori::wire {
namespace {

constexpr std::size_t kMstMessage = 16;

BridgeId read_bridge(Cursor& in) {
  BridgeId id;
  id.priority = in.u16();
  id.mac = in.mac();
  return id;
}

base::Duration read_timer(Cursor& in) { return Bpdu::kTimerUnit * in.u16(); }

std::string_view without_trailing_zeros(std::string_view text) { return text.substr(0, text.find('\0')); }

// From the version 3 length on; nothing where it says that there is no MST part.
std::optional<MstConfiguration> read_mst(Cursor& in) {
  constexpr unsigned kFixedPart = 64;
  const std::uint16_t length = in.u16();
  if (length < kFixedPart) return std::nullopt;
  MstConfiguration mst;
  in.skip(1);  // format of the configuration id
  mst.region = without_trailing_zeros(as_text(in.take(32)));
  mst.revision = in.u16();
  in.skip(16);  // digest of the VLAN table
  mst.internal_root_path_cost = in.u32();
  mst.bridge = read_bridge(in);
  mst.remaining_hops = in.u8();
  mst.instances = static_cast<std::uint16_t>((length - kFixedPart) / kMstMessage);
  mst.messages = in.take(mst.instances * kMstMessage);
  return mst;
}

Parsed<Bpdu> parse(Cursor& in) {
  const std::uint16_t protocol = in.u16();
  Bpdu bpdu;
  bpdu.version = in.u8();
  bpdu.type = in.u8();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  if (protocol != 0) return std::unexpected(Defect::unsupported);
  if (bpdu.is_tcn()) return bpdu;
  if (bpdu.type != Bpdu::kConfiguration && bpdu.type != Bpdu::kRapid)
    return std::unexpected(Defect::unsupported);
  bpdu.flags = in.u8();
  bpdu.root = read_bridge(in);
  bpdu.root_path_cost = in.u32();
  bpdu.bridge = read_bridge(in);
  bpdu.port = in.u16();
  bpdu.message_age = read_timer(in);
  bpdu.max_age = read_timer(in);
  bpdu.hello = read_timer(in);
  bpdu.forward_delay = read_timer(in);
  if (bpdu.type == Bpdu::kRapid) in.skip(1);  // version 1 length
  if (bpdu.type == Bpdu::kRapid && bpdu.version >= 3) bpdu.mst = read_mst(in);
  if (!in.ok()) return std::unexpected(Defect::truncated);
  return bpdu;
}

}  // namespace

Parsed<Bpdu> parse_bpdu(Bytes payload) {
  Cursor in(payload);
  return parse(in);
}

MstInstance mst_instance(const MstConfiguration& configuration, std::size_t index) {
  SEKIMORI_ASSERT(index < configuration.instances);
  Cursor in(configuration.messages.subspan(index * kMstMessage, kMstMessage));
  MstInstance instance;
  instance.flags = in.u8();
  instance.regional_root = read_bridge(in);
  instance.internal_root_path_cost = in.u32();
  return instance;
}

Parsed<Bpdu> parse_pvst_bpdu(Bytes payload) {
  Cursor in(payload);
  auto bpdu = parse(in);
  if (!bpdu || bpdu->is_tcn()) return bpdu;
  if (bpdu->type == Bpdu::kConfiguration) in.skip(1);  // where RSTP has its version 1 length
  // A type-length-value of type 0 and two bytes.
  const std::uint32_t head = in.u32();
  const std::uint16_t vlan = in.u16();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  if (head == 0x0000'0002) bpdu->pvst_vlan = vlan;
  return bpdu;
}

}  // namespace sekimori::wire

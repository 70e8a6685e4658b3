// BPDUs to the wire and back.
#include "switching/bpdu.h"

#include <gtest/gtest.h>

#include <tuple>

#include "base/random.h"
#include "wire/emit.h"

namespace sekimori::switching {
namespace {

using tree::Role;

tree::Bpdu random_bpdu(base::Random& random) {
  const auto flag = [&] { return random.below(2) == 0; };
  tree::Bpdu bpdu;
  bpdu.is_tcn = random.below(8) == 0;
  if (bpdu.is_tcn) return bpdu;
  bpdu.is_rapid = flag();
  bpdu.vector = {random.next(), static_cast<std::uint32_t>(random.below(1 << 30)), random.next(),
                 static_cast<std::uint32_t>(random.below(1 << 16))};
  bpdu.times = {base::seconds(random.below(20)), base::seconds(6 + random.below(30)), base::seconds(1),
                base::seconds(4)};
  bpdu.topology_change = flag();
  bpdu.topology_change_ack = flag();
  if (!bpdu.is_rapid) return bpdu;
  constexpr Role kRoles[] = {Role::kRoot, Role::kDesignated, Role::kAlternate};
  bpdu.role = kRoles[random.below(3)];
  bpdu.proposal = flag();
  bpdu.agreement = flag();
  bpdu.learning = flag();
  bpdu.forwarding = flag();
  return bpdu;
}

TEST(BpduOnTheWire, ComesBackAsItWas) {
  base::Random random(1);
  constexpr std::size_t kHeaders = 17;  // Ethernet and LLC
  for (int i = 0; i < 1000; ++i) {
    const tree::Bpdu sent = random_bpdu(random);
    wire::Buffer frame;
    wire::append_bpdu(frame, {.destination = wire::kStpGroup}, to_wire(sent));
    EXPECT_GE(frame.size(), 60u);
    const auto parsed = wire::parse_bpdu(wire::Bytes(frame).subspan(kHeaders));
    ASSERT_TRUE(parsed.has_value());
    const tree::Bpdu heard = from_wire(*parsed);
    EXPECT_EQ(heard.is_tcn, sent.is_tcn);
    EXPECT_EQ(heard.is_rapid, sent.is_rapid);
    if (sent.is_tcn) continue;
    EXPECT_EQ(heard.vector, sent.vector);
    EXPECT_EQ(heard.times, sent.times);
    EXPECT_EQ(heard.role, sent.role);
    EXPECT_EQ(std::tuple(heard.topology_change, heard.topology_change_ack, heard.proposal, heard.agreement,
                         heard.learning, heard.forwarding),
              std::tuple(sent.topology_change, sent.topology_change_ack, sent.proposal, sent.agreement,
                         sent.learning, sent.forwarding));
  }
}

// 802.1D-2004 clause 9.2: what differs in priority is decided by that, and by the address else.
TEST(BpduOnTheWire, IdentifiersKeepTheOrderOfTheStandard) {
  const auto id = [](std::uint16_t priority, std::uint64_t mac) {
    return identifier_of({priority, wire::Mac{mac}});
  };
  EXPECT_LT(id(4096, 0xffff'ffff'ffffu), id(8192, 1));
  EXPECT_LT(id(8192, 1), id(8192, 2));
  EXPECT_EQ(wire_bridge(id(8192, 2)), (wire::BridgeId{8192, wire::Mac{2}}));
}

}  // namespace
}  // namespace sekimori::switching

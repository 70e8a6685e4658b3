#include "switching/bond.h"

#include <gtest/gtest.h>

#include "model/builder.h"

namespace sekimori::switching {
namespace {

using model::BondMode;
using model::HashPolicy;
using model::Mac;
using model::PortRole;

// Worked by hand from net/bonding: last bytes 0x01 ^ 0x02, EtherType 0x0800.
TEST(BondHash, OfMacs) {
  BondPacket packet{
      .destination = Mac{0x0200'0000'0001}, .source = Mac{0x0200'0000'0002}, .ethertype = 0x0800};
  EXPECT_EQ(bond_hash(HashPolicy::kLayer2, packet), 0x0803u);
  EXPECT_EQ(bond_hash(HashPolicy::kLayer34, packet), 0x0803u) << "no IP packet";
}

// 10.0.0.1 and 10.0.0.2 XORed are 0.0.0.3, as a little-endian word 0x03000000.
TEST(BondHash, OfAddressesAndPorts) {
  BondPacket packet{.destination = Mac{0x0200'0000'0001},
                    .source = Mac{0x0200'0000'0002},
                    .ethertype = 0x0800,
                    .is_ip = true,
                    .source_ip = 0x0a00'0001,
                    .destination_ip = 0x0a00'0002,
                    .source_port = 0x8001,
                    .destination_port = 0x1389};
  std::uint32_t hash = 0x0803u ^ 0x0300'0000u;
  hash ^= hash >> 16;
  hash ^= hash >> 8;
  EXPECT_EQ(bond_hash(HashPolicy::kLayer23, packet), hash);
  hash = 0x8913'0180u ^ 0x0300'0000u;  // the ports' bytes 80 01 13 89 as a little-endian word
  hash ^= hash >> 16;
  hash ^= hash >> 8;
  EXPECT_EQ(bond_hash(HashPolicy::kLayer34, packet), hash >> 1);
}

struct Host {
  model::Builder build;
  model::BridgeId bond;

  explicit Host(BondMode mode, int nics = 3) {
    const auto machine = build.add_machine("h", model::MachineKind::kHost).value();
    const auto other = build.add_bridge("sw", model::BridgeKind::kSwitch).value();
    bond = build.add_bridge("bond0", model::BridgeKind::kBond, machine).value();
    for (int i = 0; i < nics; ++i) {
      const auto nic = build
                           .add_station(machine, "eth" + std::to_string(i), Mac{0x0200'0000'0010u + i},
                                        model::MacOrigin::kDeclared)
                           .value();
      EXPECT_TRUE(build.enslave(nic, bond));
      EXPECT_TRUE(build.connect(build.wire_port(nic), build.bridge_port(other, std::to_string(i)), {}));
    }
    const auto own =
        build.add_station(machine, "bond0", Mac{0x0200'0000'0010}, model::MacOrigin::kDeclared).value();
    EXPECT_TRUE(build.attach(own, bond, PortRole::kHost));
    build.model()[bond].bond_mode = mode;
  }
  Bond start() const {
    return {build.model(), bond, [](model::PortId) { return true; }};
  }
};

const BondPacket kPacket{
    .destination = Mac{0x0200'0000'0001}, .source = Mac{0x0200'0000'0010}, .ethertype = 0x0806};

Bond::Nic only(std::span<const Bond::Nic> nics) { return nics.size() == 1 ? nics.front() : Bond::kNoNic; }

TEST(Bond, ActiveBackupStaysWhereItWent) {
  Bond bond = Host(BondMode::kActiveBackup).start();
  EXPECT_EQ(bond.active(), 0u);
  EXPECT_TRUE(bond.set_carrier(0, false));
  EXPECT_EQ(bond.active(), 1u);
  EXPECT_FALSE(bond.set_carrier(0, true)) << "no primary: it remains";
  EXPECT_EQ(only(bond.leaves_by(kPacket)), 1u);
  EXPECT_TRUE(bond.takes(1, wire::kBroadcast));
  EXPECT_FALSE(bond.takes(0, kPacket.source));
  EXPECT_TRUE(bond.set_carrier(1, false));
  EXPECT_EQ(bond.active(), 0u);
  bond.set_carrier(0, false);
  bond.set_carrier(2, false);
  EXPECT_TRUE(bond.leaves_by(kPacket).empty());
}

TEST(Bond, ThePrimaryComesBack) {
  Host host(BondMode::kActiveBackup);
  host.build.model()[host.bond].primary = host.build.model()[host.bond].ports[2];
  Bond bond = host.start();
  EXPECT_EQ(bond.active(), 2u);
  bond.set_carrier(2, false);
  EXPECT_EQ(bond.active(), 0u);
  EXPECT_TRUE(bond.set_carrier(2, true));
  EXPECT_EQ(bond.active(), 2u);
}

TEST(Bond, RoundRobinTakesTurnsAmongWhatIsUp) {
  Bond bond = Host(BondMode::kBalanceRr).start();
  bond.set_carrier(1, false);
  std::vector<Bond::Nic> order;
  for (int i = 0; i < 4; ++i) order.push_back(only(bond.leaves_by(kPacket)));
  EXPECT_EQ(order, (std::vector<Bond::Nic>{2, 2, 0, 2})) << "the one after a NIC that is down has its turns";
  EXPECT_EQ(Host(BondMode::kBroadcast).start().leaves_by(kPacket).size(), 3u);
}

// An aggregator with a partner before one without, then the most bandwidth; and it stays.
TEST(Bond, Aggregators) {
  Host host(BondMode::kLacp, 4);
  model::Model& m = host.build.model();
  const auto far = [&](int nic) -> model::Port& {
    return m[model::peer(m, m[host.bond].ports[static_cast<std::size_t>(nic)])];
  };
  far(1).lag = 1;
  far(2).lag = far(3).lag = 2;
  Bond bond = host.start();
  EXPECT_EQ(std::vector({bond.works(0), bond.works(1), bond.works(2), bond.works(3)}),
            std::vector({false, false, true, true}));
  bond.set_carrier(2, false);
  EXPECT_TRUE(bond.works(3)) << "one of its links is enough";
  EXPECT_FALSE(bond.works(1));
  bond.set_carrier(3, false);
  EXPECT_TRUE(bond.works(1)) << "with a partner before without";
  bond.set_carrier(2, true);
  bond.set_carrier(3, true);
  EXPECT_FALSE(bond.works(2)) << "and it stays";
}

// The active one has the bond's MAC; the others their own, and what leaves there bears it.
TEST(Bond, BalancingSwapsMacs) {
  Bond bond = Host(BondMode::kBalanceTlb).start();
  const Mac own{0x0200'0000'0010}, second{0x0200'0000'0011};
  EXPECT_EQ(bond.mac(0), own);
  EXPECT_EQ(bond.source_at(0, own), own);
  EXPECT_EQ(bond.source_at(1, own), second);
  EXPECT_TRUE(bond.set_carrier(0, false));
  EXPECT_EQ(bond.mac(1), own);
  EXPECT_EQ(bond.mac(0), second);
  EXPECT_EQ(only(bond.leaves_by(kPacket)), 1u) << "ARP leaves by the active one";
  EXPECT_FALSE(bond.takes(2, bond.mac(2)));

  Bond alb = Host(BondMode::kBalanceAlb).start();
  EXPECT_TRUE(alb.takes(2, alb.mac(2)));
  EXPECT_FALSE(alb.takes(2, own)) << "its filter";
  EXPECT_FALSE(alb.takes(2, wire::kBroadcast));
  EXPECT_NE(alb.nic_of_client(1), alb.nic_of_client(2));
}

}  // namespace
}  // namespace sekimori::switching

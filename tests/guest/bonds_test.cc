// Bonds against Linux' own: random bonds in six modes, frames from the machine and from outside, and links
// that are lost and come back, played by Debian's kernel in a guest (bonds.cc) and by the live bond. Every
// copy is compared, byte by byte, and which NIC it takes. 802.3ad needs a partner that speaks LACP and is not
// among them, nor is the machine's own ARP in balance-alb, for which Linux gives clients to NICs in turn
// (switching/bond.h).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <sstream>

#include "base/random.h"
#include "lab/live_bond.h"
#include "model/builder.h"
#include "tests/guest/bonds.h"
#include "tests/guest/guest.h"
#include "wire/emit.h"

namespace sekimori::guest {
namespace {

using model::BondMode;
using model::HashPolicy;
using model::Mac;

constexpr std::size_t kBonds = 600;
constexpr std::array kModes{BondMode::kBalanceRr, BondMode::kActiveBackup, BondMode::kBalanceXor,
                            BondMode::kBroadcast, BondMode::kBalanceTlb,   BondMode::kBalanceAlb};
constexpr Mac kPeer{0x0200'0000'0a01}, kGuest{0x0200'0000'0b02}, kNobody{0x0200'0000'0c03};

class Choice {
 public:
  explicit Choice(std::uint64_t seed) : random_(seed) {}

  BondSite bond() {
    BondSite site{};
    mode_ = kModes[random_.below(kModes.size())];
    site.mode = static_cast<std::uint8_t>(mode_);
    site.nics = static_cast<std::uint8_t>(2 + random_.below(kMostNics - 1));
    for (std::size_t n = 0; n < site.nics; ++n)
      site.macs[n] = 0x0200'0000'1000u + random_.below(1 << 12) * 16 + n;
    // The kernel's numbers: layer2, layer3+4, layer2+3.
    if (mode_ == BondMode::kBalanceXor || switching::balances_load(mode_))
      site.policy = static_cast<std::uint8_t>(random_.below(3));
    if (model::has_active(mode_) && random_.below(2) == 0)
      site.primary = static_cast<std::uint8_t>(1 + random_.below(site.nics));
    for (std::size_t i = 0; i < kBondFrames; ++i) {
      BondFrame& frame = site.frames[i];
      if (i % 8 == 7) frame.toggle = static_cast<std::uint8_t>(1 + random_.below(site.nics));
      frame.from = random_.below(3) == 0 ? static_cast<std::uint8_t>(1 + random_.below(site.nics)) : 0;
      const wire::Buffer bytes = frame.from == 0 ? sent(site) : coming(site, frame.from - 1u);
      frame.size = static_cast<std::uint16_t>(bytes.size());
      std::ranges::copy(bytes, frame.bytes);
    }
    return site;
  }

 private:
  std::uint16_t port() { return static_cast<std::uint16_t>(1024 + random_.below(40'000)); }
  wire::Ipv4 address() { return {0x0a00'0000u | static_cast<std::uint32_t>(random_.below(1 << 16))}; }
  wire::Ipv6 address6() {
    wire::Ipv6 address;
    for (auto& octet : address.octets) octet = static_cast<std::uint8_t>(random_.below(256));
    address.octets[0] = 0x20;
    return address;
  }

  wire::Buffer sent(const BondSite& site) {
    const Mac own{site.macs[0]};
    const Mac source = random_.below(4) == 0 ? kGuest : own;
    const Mac to = random_.below(5) == 0 ? wire::kBroadcast : Mac{kPeer.bits + random_.below(8)};
    return packet({.destination = to, .source = source, .bytes = 60});
  }

  wire::Buffer coming(const BondSite& site, std::size_t nic) {
    const Mac to[] = {wire::kBroadcast, Mac{site.macs[0]}, Mac{site.macs[nic]}, kNobody};
    return packet({.destination = to[random_.below(4)], .source = kPeer, .bytes = 60});
  }

  wire::Buffer packet(const wire::FrameShape& shape) {
    wire::Buffer out;
    const wire::Ipv4Header ip{.source = address(), .destination = address()};
    const wire::Udp udp{.source_port = port(), .destination_port = port()};
    switch (random_.below(7)) {
      case 0:
      case 1: {
        const bool asks = random_.below(2) == 0;
        const Mac sender = mode_ == BondMode::kBalanceAlb ? kGuest : shape.source;
        wire::append_arp(
            out, shape,
            {asks ? wire::Arp::kRequest : wire::Arp::kReply, sender, address(), kPeer, address()});
        break;
      }
      case 2:
        wire::append_udp(out, shape, ip, udp);
        break;
      case 3: {
        wire::FrameShape larger = shape;
        larger.bytes = 80;
        wire::append_tcp(out, larger, ip, {.source_port = port(), .destination_port = port()},
                         std::size_t{0});
        break;
      }
      case 4:
        wire::append_icmp_echo(out, shape, ip, {.id = port()}, 4);
        break;
      case 5: {
        wire::FrameShape larger = shape;
        larger.bytes = 80;
        wire::append_udp(out, larger, wire::Ipv6Header{.source = address6(), .destination = address6()}, udp);
        break;
      }
      default:
        wire::append_loopback(out, shape);
        break;
    }
    return out;
  }

  base::Random random_;
  BondMode mode_{};
};

struct Played {
  BondSite site;
  model::Model model;
  model::BridgeId bond;
  model::PortId above;
  std::vector<model::PortId> nics;
};

Played make(std::uint64_t seed) {
  Played played{.site = Choice(seed).bond(), .model = {}, .bond = {}, .above = {}, .nics = {}};
  const BondSite& site = played.site;
  model::Builder build;
  const auto host = build.add_machine("h", model::MachineKind::kHost).value();
  const auto other = build.add_bridge("sw", model::BridgeKind::kSwitch).value();
  played.bond = build.add_bridge("b", model::BridgeKind::kBond, host).value();
  for (std::size_t n = 0; n < site.nics; ++n) {
    const auto nic =
        build.add_station(host, fmt::format("n{}", n), Mac{site.macs[n]}, model::MacOrigin::kDeclared);
    played.nics.push_back(build.enslave(*nic, played.bond).value());
    EXPECT_TRUE(build.connect(played.nics.back(), build.bridge_port(other, std::to_string(n)), {}));
  }
  const auto own = build.add_station(host, "b", Mac{site.macs[0]}, model::MacOrigin::kDeclared);
  played.above = build.attach(*own, played.bond, model::PortRole::kHost).value();
  model::Bridge& settings = build.model()[played.bond];
  settings.bond_mode = static_cast<BondMode>(site.mode);
  constexpr HashPolicy kPolicies[] = {HashPolicy::kLayer2, HashPolicy::kLayer34, HashPolicy::kLayer23};
  settings.hash_policy = kPolicies[site.policy];
  if (site.primary != 0) settings.primary = played.nics[site.primary - 1u];
  played.model = std::move(build).finish();
  return played;
}

std::string in_order(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> all{std::istream_iterator<std::string>(words), {}};
  std::ranges::sort(all);
  return fmt::format("{}", fmt::join(all, " "));
}

std::string described(const Played& played, std::size_t upto) {
  const BondSite& site = played.site;
  std::string text = fmt::format("{}, policy {}, primary {}, NICs", to_text(static_cast<BondMode>(site.mode)),
                                 site.policy, site.primary);
  for (std::size_t n = 0; n < site.nics; ++n) text += " " + wire::to_text(Mac{site.macs[n]});
  for (std::size_t i = 0; i <= upto; ++i) {
    const BondFrame& frame = site.frames[i];
    if (frame.toggle != 0) text += fmt::format("\n  link of NIC {} changes", frame.toggle);
    text += fmt::format("\n  {} {:02x}", frame.from, fmt::join(std::span(frame.bytes, frame.size), ""));
  }
  return text;
}

// Returns the number of copies; a difference ends it.
std::size_t compare(const Played& played, std::istream& answers) {
  std::string line;
  std::vector<bool> up(played.nics.size(), true);
  const auto send = [&](model::PortId port, std::span<const std::byte> frame) {
    line += line.empty() ? "" : " ";
    const auto nic = std::ranges::find(played.nics, port);
    line += fmt::format("{}:", nic == played.nics.end() ? 0 : nic - played.nics.begin() + 1);
    if (nic == played.nics.end()) return;
    for (const std::byte octet : frame.first(std::min(frame.size(), kShownBytes)))
      line += fmt::format("{:02x}", std::to_integer<unsigned>(octet));
  };
  lab::LiveBond bond(played.model, played.bond, [](model::PortId) { return true; }, send);
  std::size_t copies = 0;
  bool same = true;
  for (std::size_t i = 0; i < kBondFrames; ++i) {
    const BondFrame& frame = played.site.frames[i];
    std::string real;
    std::getline(answers, real);
    if (!same) continue;
    if (frame.toggle != 0) {
      const std::size_t n = frame.toggle - 1u;
      up[n] = !up[n];
      bond.set_carrier(played.nics[n], up[n]);
    }
    line.clear();
    if (frame.from == 0 || up[frame.from - 1u]) {
      bond.receive(frame.from == 0 ? played.above : played.nics[frame.from - 1u],
                   std::as_bytes(std::span(frame.bytes, frame.size)));
    }
    // A NIC of balance-alb that is not the active one takes what is for its own MAC. Whether the frame gets
    // past its filter is not the bond's business, and veth pairs have none.
    const bool filtered = static_cast<BondMode>(played.site.mode) == BondMode::kBalanceAlb &&
                          frame.from != 0 && line.empty() && (frame.bytes[0] & 1) == 0;
    if (filtered && real == "0:") continue;
    copies += static_cast<std::size_t>(std::ranges::count(real, ':'));
    same = in_order(real) == in_order(line);
    if (!same) ADD_FAILURE() << described(played, i) << "\n  kernel    " << real << "\n  predicted " << line;
  }
  return copies;
}

TEST(GuestKernel, BondsDoWhatTheLiveBondDoes) {
  std::vector<Played> all;
  std::string bytes;
  for (std::uint64_t seed = 1; seed <= kBonds; ++seed) {
    all.push_back(make(seed));
    bytes.append(reinterpret_cast<const char*>(&all.back().site), sizeof(BondSite));
  }
  std::istringstream answers(Guest().play("bonds", bytes));
  ASSERT_FALSE(HasFailure());
  std::size_t copies = 0;
  for (const Played& played : all) {
    copies += compare(played, answers);
    if (HasFatalFailure()) break;
  }
  EXPECT_EQ(answers.peek(), std::istringstream::traits_type::eof());
  EXPECT_GT(copies, kBonds * kBondFrames / 2);
  std::printf("%zu bonds, %zu frames, %zu copies\n", kBonds, kBonds * kBondFrames, copies);
}

}  // namespace
}  // namespace sekimori::guest

// Two stations that share a MAC and an IP address, as a clone of a running machine does: nothing that they
// say of themselves tells them apart. What does is what each counts for itself.
//
// Each of these is a pair of *tracks*: values of one conversation that fall on two lines, in turn. One stack
// has one line, and a stack that draws its numbers at random has none.
//
//   identification  of IPv4 packets to a group, from one port to one: a counter of the stack, if there is one
//                   (Bellovin, "A Technique for Counting NATted Hosts", IMW 2002; RFC 6864 leaves it open, so
//                   that many draw at random, and some are zero). Linux counts what sockets send that are not
//                   connected, per destination
//   clock           timestamps of SYNs between two addresses (RFC 7323): milliseconds, or hundredths, since
//   the
//                   stack has started (Kohno, Broido, Claffy, "Remote physical device fingerprinting", IEEE
//                   TDSC 2005, measure its skew; two stacks differ by days, and no skew needs to be
//                   measured). Linux hides it by an offset for each pair of addresses, of late for each
//                   connection: then there is no line
//   layout          of SYNs: hop limit, window scale, MSS and order of options. It tells kinds of systems
//                   apart, not machines, and a system may change it from one SYN to the next: supports only
//   transactions    of DHCP: a client has one under way; two in turn are two clients. On one machine,
//   perhaps:
//                   supports only
//
// and one is a story: a MAC resets what it has just opened itself, as one does who knows nothing of it
// (without ACK, RFC 9293 section 3.10.7.1): the answers to one twin went to the other. A program that hangs
// up while it is still sent something has its stack do the same, and so do scanners: supports only.
//
// Packets that a router has passed on say nothing of its MAC's owner, and neither does what a machine sends
// for guests behind its address (NAT): only packets with a hop limit as stacks start with are counted.
#pragma once

#include <vector>

#include "watch/observations.h"
#include "wire/decode.h"

namespace sekimori::watch {

class TwinWatch {
 public:
  TwinWatch();

  struct Frame {
    FrameRef ref;
    std::uint32_t scope = 0;
    Mac source{};
  };
  // Packets to a group; SYNs and resets; requests of DHCP clients.
  void group(const Frame& frame, const wire::Ipv4Header& ip, const wire::Udp& udp,
             std::vector<TwinSign>& out);
  void tcp(const Frame& frame, std::uint64_t ends, std::uint8_t hops, const wire::Tcp& tcp,
           std::vector<TwinSign>& out);
  void dhcp(const Frame& frame, const wire::Dhcp& request, std::vector<TwinSign>& out);

 private:
  struct Track {
    std::uint64_t value = 0;
    Nanos at = 0;
    std::uint32_t hits = 0;
  };
  struct Tracks {
    std::uint64_t key = 0;
    Nanos used = 0;
    std::uint32_t sign = kNobody;
    std::uint32_t breaks = 0;
    std::uint8_t current = 0;
    std::array<Track, 2> list{};
  };
  struct Attempt {  // to open a connection
    std::uint64_t key = 0;
    std::uint32_t first = 0;  // sequence number
    bool reset = false;
    FrameRef opened;
  };

  void sample(const Frame& frame, TwinSign::Kind kind, std::uint64_t what, std::uint64_t value,
              std::vector<TwinSign>& out);
  void resets(const Frame& frame, std::uint64_t ends, const wire::Tcp& tcp, std::vector<TwinSign>& out);

  std::vector<Tracks> tracks_;
  std::vector<Attempt> attempts_;
};

}  // namespace sekimori::watch

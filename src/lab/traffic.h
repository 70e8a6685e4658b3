// The site's traffic from the machines of a lab: the kernel's own UDP, TCP and ICMP, paced by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "lab/announcements.h"
#include "lab/plan.h"
#include "sys/ip_socket.h"
#include "sys/namespaces.h"
#include "sys/service.h"

namespace sekimori::lab {

// One thread paces no more than this; a site that offers more is refused.
constexpr double kMostPacketsPerSecond = 50'000;

struct FlowResult {
  std::int64_t sent = 0;  // packets; TCP: bytes taken by the sender's kernel
  // By the receiver's application; ping: answers; to a group: by the member that got fewest.
  std::int64_t received = 0;
  std::int64_t answered = 0;  // request, ping
};

class Traffic {
 public:
  // `spaces`: the plan's namespaces, which must stay open as long as this.
  static base::Result<Traffic> open(const model::Model& site, const Plan& plan,
                                    const std::vector<sys::Namespace>& spaces);

  // Sends what is due and takes what has arrived; waits until `until` at most for something to do.
  void turn(base::Time now, base::Time until);
  Announcements& announcements() { return announcements_; }
  // Takes what has arrived and sends no more.
  void drain();
  const std::vector<FlowResult>& results() const { return results_; }

 private:
  struct Source {
    std::size_t flow;
    std::optional<sys::IpSocket> out;
    // At the receiver; TCP: listens first. Of a shared address or a group there is one at each member.
    std::vector<sys::IpSocket> in;
    std::vector<std::int64_t> taken;  // by each member of a group
    std::optional<sys::IpSocket> connection;
    base::Duration interval{0};
    base::Time due{0};
    std::size_t bytes = 0, response = 0, responses = 0;
    std::uint16_t number = 0;
    std::int64_t owed = 0;  // TCP: offered and not yet taken
    sys::Endpoint local, remote;
  };
  Traffic(const model::Model& site, const std::vector<sys::Namespace>& spaces, sys::Poller poller,
          Announcements announcements)
      : site_(site), spaces_(spaces), poller_(std::move(poller)), announcements_(std::move(announcements)) {}
  base::Result<void> add_flow(std::size_t flow, const Plan& plan);
  bool find_ends(Source& source, const model::Flow& flow, const Plan& plan) const;
  base::Result<void> open_sockets(Source& source, const model::Flow& flow, bool has_receiver);
  template <class Make>
  base::Result<sys::IpSocket> open_in(model::MachineId machine, Make make);
  base::Result<void> open_receivers(Source& source, const model::Flow& flow);
  base::Result<void> open_members(Source& source, const model::Flow& flow, const Plan& plan);
  base::Result<void> join_groups(const Plan& plan);
  base::Result<sys::IpSocket> join(model::StationId station, sys::Endpoint group, const Plan& plan);
  base::Result<void> watch();
  void send(Source& source, base::Time now);
  void send_tcp(Source& source);
  void take(std::uint32_t token);

  const model::Model& site_;
  const std::vector<sys::Namespace>& spaces_;
  sys::Poller poller_;
  std::vector<Source> sources_;
  std::vector<sys::IpSocket> memberships_;
  Announcements announcements_;
  std::vector<FlowResult> results_;
};

}  // namespace sekimori::lab

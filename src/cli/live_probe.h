// --probe: sends what watch::Probe asks for, and tells what comes of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit.h"
#include "sys/interfaces.h"
#include "sys/packet_sender.h"
#include "watch/probe.h"

namespace sekimori::cli {

struct ProbeNews {
  std::string step;  // "asked", "failed", or the word of a verdict
  watch::Mac mac{};
  watch::IpAddress ip{};
  std::string what;  // for people
};

class LiveProbe {
 public:
  static Step<LiveProbe> open(const sys::NetworkInterface& interface);

  // What it will send, and as whom.
  std::string promise() const;
  void floods(std::span<const watch::ProbeTarget> targets) { probe_.targets(targets); }
  void frame(const wire::Frame& frame) { probe_.frame(frame); }
  // Sends the question that is due, if any. `now` is of the frames' clock.
  std::vector<ProbeNews> step(watch::Nanos now);
  void tell(const watch::Observations& o, watch::Nanos now, findings::Report& report) const;

 private:
  LiveProbe(const sys::NetworkInterface& interface, sys::PacketSender sender);
  ProbeNews ask(const watch::Probe::Question& question);
  wire::Buffer frame_of(const watch::Probe::Question& question, std::string& as) const;

  sys::NetworkInterface interface_;
  sys::PacketSender sender_;
  watch::Probe probe_;
};

}  // namespace sekimori::cli

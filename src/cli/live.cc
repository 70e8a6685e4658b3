#include "cli/live.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "base/text.h"
#include "cli/capture.h"
#include "cli/live_output.h"
#include "cli/saved_frames.h"
#include "findings/identity.h"
#include "sys/packet_ring.h"
#include "watch/diagnose.h"
#include "watch/live.h"

namespace sekimori::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using findings::Report;

constexpr std::string_view kPrefix = "if:";
constexpr auto kPatience = 100ms;  // how long to wait for frames before looking about
constexpr auto kTick = 100ms;      // how often to look about while frames come
constexpr auto kDraw = 500ms;      // how often the view is redrawn, and the link asked for
constexpr auto kStatistics = 5s;   // how often machines are told numbers

enum class End : std::uint8_t { kTime, kInterrupt, kInterface };

std::string_view word_of(End end) {
  switch (end) {
    case End::kTime:
      return "time";
    case End::kInterrupt:
      return "interrupt";
    case End::kInterface:
      return "interface";
  }
  return "?";
}

Step<void> refuse_nonsense(const DiagnoseArguments& arguments) {
  if (!arguments.evidence.empty()) {
    return stop(kBadInput,
                "--evidence reads frames a second time, and those of an interface are gone: --save them, and "
                "diagnose the file with --evidence.");
  }
  if (!arguments.save.empty() && arguments.save == "-" && arguments.report.output.json == "-")
    return stop(kBadInput, "--save and --json can't both go to standard output.");
  return {};
}

// As the kernel stamps frames.
watch::Nanos clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// ---------------------------------------------------------------- listening

class Listening {
 public:
  Listening(const DiagnoseArguments& arguments, sys::PacketRing ring, LiveOutput& output, SavedFrames* saved,
            LiveProbe* probe, const wire::CaptureInterface& interface, Viewpoint view)
      : arguments_(arguments),
        ring_(std::move(ring)),
        output_(output),
        saved_(saved),
        probe_(probe),
        view_(std::move(view)),
        detections_([&from = view_.options, probes = probe != nullptr](const watch::Observations& seen) {
          return watch::Detections::Detected{
              watch::report_of(seen, from.at, from.site),
              probes ? watch::probe_targets(seen, from.at, from.site) : std::vector<watch::ProbeTarget>()};
        }) {
    observer_.interfaces({&interface, 1});
  }

  Step<End> listen();
  // After listen(): what all frames show.
  Step<Report> report();
  base::Time now() const { return std::chrono::duration_cast<base::Duration>(Clock::now() - start_); }

 private:
  void take(std::span<const wire::Frame> frames);
  Step<void> look_about(Clock::time_point now);
  Step<void> follow(const Report& report);
  LiveStatistics statistics(Clock::time_point now);
  void tell_what_limits(Report& report);

  const DiagnoseArguments& arguments_;
  sys::PacketRing ring_;
  LiveOutput& output_;
  SavedFrames* saved_;  // null: none, and so the next
  LiveProbe* probe_;
  Viewpoint view_;
  watch::Observer observer_;
  watch::Detections detections_;
  watch::FindingLog log_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point next_look_ = start_, next_draw_ = start_, next_statistics_ = start_ + kStatistics;
  std::uint64_t frames_ = 0, bytes_ = 0;
  struct {
    Clock::time_point at;
    std::uint64_t frames = 0, bytes = 0;
    LiveStatistics told;
  } drawn_{start_, 0, 0, {}};
  bool link_ = true;
  std::vector<std::string> notices_;  // to be told when there is time
  std::vector<std::string> remarks_;  // for the report
};

Step<End> Listening::listen() {
  const auto end = arguments_.listen
                       ? start_ + std::chrono::duration_cast<Clock::duration>(*arguments_.listen)
                       : Clock::time_point::max();
  link_ = ring_.link();
  if (!link_)
    notices_.push_back("The interface has no link: nothing is plugged in, or the other end is down.");
  End why = End::kTime;
  while (true) {
    const auto now = Clock::now();
    if (!ring_.stopped() && (now >= end || sys::interrupted())) {
      why = sys::end_interrupt() ? End::kInterrupt : End::kTime;
      ring_.stop();
    }
    const auto patience = std::min<Clock::duration>(kPatience, std::max<Clock::duration>(end - now, 1ms));
    const auto frames = ring_.next(std::chrono::duration_cast<std::chrono::milliseconds>(patience));
    take(frames);
    if (frames.empty() && ring_.problem()) return End::kInterface;
    if (frames.empty() && ring_.stopped()) return why;
    if (now >= next_look_) {
      if (auto done = look_about(now); !done) return std::unexpected(done.error());
    }
  }
}

void Listening::take(std::span<const wire::Frame> frames) {
  frames_ += frames.size();
  observer_.frames(frames);
  for (const wire::Frame& frame : frames) {
    bytes_ += frame.original_length;
    if (probe_ != nullptr) probe_->frame(frame);
    if (saved_ == nullptr) continue;
    if (auto ended = saved_->add(frame)) notices_.push_back(std::move(*ended));
  }
}

Step<void> Listening::look_about(Clock::time_point now) {
  next_look_ = now + kTick;
  if (const auto detected = detections_.poll(observer_, now)) {
    if (probe_ != nullptr) probe_->floods(detected->floods);
    if (auto done = follow(detected->report); !done) return done;
  }
  if (probe_ != nullptr) {
    for (const ProbeNews& news : probe_->step(clock_ns())) {
      if (auto done = output_.probe(this->now(), news); !done) return done;
    }
  }
  for (const std::string& notice : std::exchange(notices_, {})) {
    remarks_.push_back(notice);
    if (auto done = output_.notice(this->now(), notice); !done) return done;
  }
  if (now >= next_statistics_) {
    next_statistics_ += kStatistics;
    if (auto done = output_.statistics(this->now(), statistics(now), log_.present().size()); !done)
      return done;
  }
  if (now < next_draw_) return {};
  next_draw_ = now + kDraw;
  if (const bool link = ring_.link(); link != link_ && !ring_.problem()) {
    link_ = link;
    notices_.push_back(fmt::format("The link of the interface {} {} after it was begun to listen.",
                                   link ? "came back" : "was lost", base::to_text(this->now())));
  }
  output_.draw(this->now(), statistics(now), log_);
  return {};
}

Step<void> Listening::follow(const Report& report) {
  for (const auto& event : log_.update(report.findings)) {
    if (auto done = output_.finding(now(), event); !done) return done;
  }
  return {};
}

LiveStatistics Listening::statistics(Clock::time_point now) {
  const auto& counts = ring_.counts();
  LiveStatistics s{.frames = frames_,
                   .bytes = bytes_,
                   .dropped = counts.dropped,
                   .freezes = counts.freezes,
                   .saved = saved_ == nullptr ? 0 : saved_->count(),
                   .stations = observer_.stations()};
  const std::chrono::duration<double> passed = now - drawn_.at;
  if (passed < 100ms) {
    s.frames_per_second = drawn_.told.frames_per_second;
    s.mbit_per_second = drawn_.told.mbit_per_second;
    return s;
  }
  s.frames_per_second = static_cast<double>(frames_ - drawn_.frames) / passed.count();
  s.mbit_per_second = static_cast<double>(bytes_ - drawn_.bytes) * 8e-6 / passed.count();
  drawn_ = {now, frames_, bytes_, s};
  return s;
}

// ---------------------------------------------------------------- the end

void Listening::tell_what_limits(Report& report) {
  std::vector<std::string> remarks;
  if (const auto& problem = ring_.problem()) {
    report.incomplete = true;
    remarks.push_back(*problem + " All frames before are in this report.");
  }
  const auto& counts = ring_.counts();
  if (counts.dropped > 0) {
    const double all = static_cast<double>(counts.dropped + counts.received);
    remarks.push_back(fmt::format(
        "The kernel dropped {} of {} frames ({} %) before they could be looked at, as the ring was full {}: "
        "counts are too small, and what seems silent may have been missed.",
        counts.dropped, counts.dropped + counts.received,
        base::short_number(100 * static_cast<double>(counts.dropped) / all, 2),
        counts.freezes == 1 ? "once" : fmt::format("{} times", counts.freezes)));
  }
  remarks.insert(remarks.end(), remarks_.begin(), remarks_.end());
  if (!arguments_.promiscuous && counts.for_others == 0) {
    remarks.emplace_back(
        "The interface is not promiscuous and no unicast for others came, which its card may have kept away: "
        "with --promiscuous floods of it would be seen.");
  }
  if (saved_ != nullptr) {
    remarks.push_back(fmt::format("{} frames were saved to {}: --evidence works with it.", saved_->count(),
                                  arguments_.save));
  }
  report.remarks.insert(report.remarks.begin(), remarks.begin(), remarks.end());
}

Step<Report> Listening::report() {
  output_.erase();
  for (const std::string& notice : std::exchange(notices_, {})) {
    remarks_.push_back(notice);
    if (auto done = output_.notice(now(), notice); !done) return std::unexpected(done.error());
  }
  const watch::Observations seen = observer_.finish();
  Report report = watch::report_of(seen, view_.options.at, view_.options.site);
  if (probe_ != nullptr) probe_->tell(seen, clock_ns(), report);
  if (auto done = follow(report); !done) return std::unexpected(done.error());
  if (auto done = output_.statistics(now(), statistics(Clock::now()), report.findings.size()); !done)
    return std::unexpected(done.error());
  findings::identify(view_.site ? *view_.site : model::Model{}, report.findings);
  report.kind = "live";
  report.title = fmt::format("{} frames, listened for {}", frames_,
                             base::to_text(std::chrono::floor<std::chrono::milliseconds>(now()) / 100 * 100));
  report.source = arguments_.what;
  tell_what_limits(report);
  return report;
}

}  // namespace

bool is_interface(std::string_view what) { return what.starts_with(kPrefix); }

Step<int> diagnose_live(const DiagnoseArguments& arguments) {
  if (auto done = refuse_nonsense(arguments); !done) return std::unexpected(done.error());
  const auto interface = sys::find_interface(arguments.what.substr(kPrefix.size()));
  if (!interface) return stop(kBadInput, interface.error().what);

  auto view = viewpoint(arguments);
  if (!view) return std::unexpected(view.error());
  // JSON lines come while it goes on, so that they are no part of the report's output.
  ReportArguments at_the_end = arguments.report;
  at_the_end.output.json.clear();
  auto told = ReportOutput::prepare(at_the_end, arguments.what);
  if (!told) return std::unexpected(told.error());
  std::optional<sys::OutputFile> json;
  if (!arguments.report.output.json.empty()) {
    auto file = told->outputs().open(arguments.report.output.json);
    if (!file) return std::unexpected(file.error());
    json.emplace(std::move(*file));
  }
  const sys::PacketRing::Options ring_options{.promiscuous = arguments.promiscuous};
  auto ring = sys::PacketRing::open(*interface, ring_options);
  if (!ring) return stop(kBadInput, ring.error().what);

  // The port of a virtual switch has an address that it hardly uses; who speaks behind it is seen.
  const wire::CaptureInterface place{.name = interface->name,
                                     .description = {},
                                     .link_type = *sys::link_type_of(*interface),
                                     .snap_length = ring_options.snap_length,
                                     .mac = interface->is_port ? wire::Mac{} : interface->mac};
  std::optional<SavedFrames> saved;
  if (!arguments.save.empty()) {
    auto opened = SavedFrames::open(arguments.save, arguments.save_limit, place, told->outputs());
    if (!opened) return std::unexpected(opened.error());
    saved.emplace(std::move(*opened));
  }
  std::optional<LiveProbe> probe;
  if (arguments.probe) {
    auto opened = LiveProbe::open(*interface);
    if (!opened) return std::unexpected(opened.error());
    probe.emplace(std::move(*opened));
  }
  LiveOutput output(arguments.report.output, std::move(json), !told->outputs().uses_stdout());
  Listening listening(arguments, std::move(*ring), output, saved ? &*saved : nullptr,
                      probe ? &*probe : nullptr, place, std::move(*view));
  if (auto done = output.start({.interface = interface->name,
                                .mac = interface->mac,
                                .promiscuous = arguments.promiscuous,
                                .probe = arguments.probe,
                                .snap_length = ring_options.snap_length,
                                .listen = arguments.listen,
                                .unix_time = static_cast<double>(clock_ns()) * 1e-9});
      !done)
    return std::unexpected(done.error());

  if (probe) {
    if (auto done = output.notice({}, probe->promise()); !done) return std::unexpected(done.error());
  }
  const auto why = listening.listen();
  if (!why) return std::unexpected(why.error());
  auto report = listening.report();
  if (!report) return std::unexpected(report.error());
  if (saved) {
    if (auto done = saved->commit(); !done) return std::unexpected(done.error());
  }
  const auto exit = told->tell(*report);
  if (!exit) return exit;
  if (auto done = output.end(listening.now(), word_of(*why), *report); !done)
    return std::unexpected(done.error());
  return exit;
}

}  // namespace sekimori::cli

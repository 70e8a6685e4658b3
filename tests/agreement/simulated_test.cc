// The analysis against the simulator, on random sites: what is worked out without playing a frame is what
// happens when it is played. Every lane's bytes, wanted and flooded, over a window after everything has
// settled must lie in the range that the load model gives, within the rounding of whole frames.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "importers/site.h"
#include "load/load.h"
#include "random_sites.h"
#include "simulate/run.h"

namespace sekimori::agreement {
namespace {

using base::seconds;

model::Model parse(const std::string& text) {
  auto model = importers::parse_site("sekimori: 1\n" + text, "random");
  if (!model) ADD_FAILURE() << model.error().text() << "\n" << text;
  return model ? *model : model::Model{};
}

struct Played {
  std::vector<simulate::LaneCounters> before, after;
};

Played play(const model::Model& m, base::Time settled, base::Time until) {
  simulate::Options options;
  options.until = until;
  options.window = settled;
  const auto run = simulate::run(m, options);
  EXPECT_TRUE(run);
  Played played;
  for (const auto& window : run->windows) {
    if (window.end <= settled + seconds(1)) played.before = window.lanes;
  }
  played.after = run->lanes;
  return played;
}

// A complaint; empty when the two agree.
std::string compare(const model::Model& m, base::Time settled, base::Time until, int& decided) {
  const check::Learning learning(m);
  const load::Load load = load::work_out(learning);
  const Played played = play(m, settled, until);
  const double time = base::to_seconds(until - settled);
  if (played.before.empty()) return "no window";
  // Where entries come and go, the window holds one coming more or less than its length says.
  double cycles = 0;
  for (const load::Flood& flood : load.floods) {
    double all = 0;
    for (const std::uint32_t i : flood.streams) all += learning.streams()[i].most;
    if (flood.frames.least > 0.999 * all || flood.frames.most <= 0) continue;
    cycles += all * base::to_seconds(m[learning.forest()[flood.node].bridge].ageing);
  }
  for (std::size_t lane = 0; lane < load.lanes.size(); ++lane) {
    const auto &a = played.before[lane], &b = played.after[lane];
    const load::Lane& want = load.lanes[lane];
    const struct {
      const char* name;
      double played;
      load::Range worked_out;
    } pairs[] = {
        {"flooded frames", static_cast<double>(b.flooded_frames - a.flooded_frames), want.flooded_frames},
        {"flooded bytes", static_cast<double>(b.flooded_bytes - a.flooded_bytes), want.flooded_bytes},
        {"all frames",
         static_cast<double>(b.frames - a.frames),
         {want.wanted_frames.least + want.flooded_frames.least,
          want.wanted_frames.most + want.flooded_frames.most}},
        {"all bytes",
         static_cast<double>(b.bytes - a.bytes),
         {want.wanted_bytes.least + want.flooded_bytes.least,
          want.wanted_bytes.most + want.flooded_bytes.most}},
    };
    for (const auto& p : pairs) {
      const bool frames = std::string_view(p.name).ends_with("frames");
      // A stream may have a frame more or less in the window than its rate says, at either end, and an ARP
      // exchange begins anywhere.
      const double rounding =
          (frames ? 1 : 1518) * (3 + 2 * static_cast<double>(learning.streams().size()) + cycles);
      const double least = p.worked_out.least * time * 0.995 - rounding,
                   most = p.worked_out.most * time * 1.005 + rounding;
      decided += p.worked_out.decided();
      if (p.played >= least && p.played <= most) continue;
      const model::Link& link = m.links[lane / 2];
      return fmt::format("{} from {}: played {}, worked out {}..{} (with rounding {}..{})", p.name,
                         name_of(m, lane % 2 == 0 ? link.a : link.b), p.played, p.worked_out.least * time,
                         p.worked_out.most * time, least, most);
    }
  }
  return "";
}

TEST(Agreement, LoadOfRandomSites) {
  const char* more = std::getenv("SEKIMORI_AGREEMENT_SITES");
  const char* from = std::getenv("SEKIMORI_AGREEMENT_FIRST");
  const std::uint64_t first = from != nullptr ? std::strtoull(from, nullptr, 10) : 1;
  const std::uint64_t count = more != nullptr ? std::strtoull(more, nullptr, 10) : 300;
  int decided = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const RandomSite random(seed);
    const std::string complaint = compare(parse(random.text()), seconds(150), seconds(450), decided);
    if (complaint.empty()) continue;
    ADD_FAILURE() << "seed " << seed << ": " << complaint << "\n" << random.text();
    if (more == nullptr) return;
  }
  RecordProperty("decided", decided);
}

}  // namespace
}  // namespace sekimori::agreement

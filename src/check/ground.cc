#include "check/ground.h"

namespace sekimori::check {

Ground::Ground(const model::Model& model, Streams all, Forest trees)
    : m(model),
      forest(std::move(trees)),
      registrations(m, forest),
      groups(m, forest),
      streams(std::move(all)),
      macs(m, forest, streams.contested),
      doubtful_flow(m.flows.size(), false),
      overfull(m.bridges.size(), false) {
  const std::vector<Stream>& list = streams.list;
  to = Lists::by(macs.size(), list.size(), [&](std::uint32_t i) { return destination(list[i]); });
  from = Lists::by(macs.size(), list.size(), [&](std::uint32_t i) { return source(list[i]); });
  for (const Stream& s : list) {
    if (s.flow.valid() && s.to.valid() && m[s.flow].kind == model::FlowKind::kTcp &&
        (is_doubtful(s.from) || is_doubtful(s.to)))
      doubtful_flow[s.flow.index()] = true;
  }
  for (std::uint32_t t = 0; t < forest.tables(); ++t) {
    const Duration ageing = m[forest.table_bridge(t)].ageing;
    in_time.push_back(ageing - tolerance(ageing));
  }
}

}  // namespace sekimori::check

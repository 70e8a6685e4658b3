#include "model/timeline.h"

namespace sekimori::model {
namespace {

// What each kind of change does to the model.
class Apply {
 public:
  explicit Apply(Model& m) : m_(m) {}

  void operator()(const StartMachine& start) const { m_[start.machine].running = true; }
  void operator()(const StopMachine& stop) const { m_[stop.machine].running = false; }
  void operator()(const SetLink& link) const { m_[link.link].up = link.up; }
  void operator()(const MigrateMachine& move) const {
    for (const auto& [station, port] : move.moves) {
      const PortId before = m_[station].port;
      m_[m_[before].link].up = false;
      m_[before].station = {};
      m_[station].port = port;
      m_[port].station = station;
      m_[m_[port].link].up = true;
    }
  }
  void operator()(const SetBridge& set) const {
    Bridge& bridge = m_[set.bridge];
    switch (set.option) {
      case BridgeOption::kAgeing:
        bridge.ageing = Duration{set.value};
        break;
      case BridgeOption::kLearning:
        bridge.learning = set.value != 0;
        break;
      case BridgeOption::kTableSize:
        bridge.table_size = static_cast<std::uint32_t>(set.value);
        break;
      case BridgeOption::kFiltersLocal:
        bridge.filters_local = set.value != 0;
        break;
      case BridgeOption::kStp:
        bridge.stp = set.value != 0;
        break;
    }
  }

 private:
  Model& m_;
};

}  // namespace

Model model_at(const Model& model, base::Time when) {
  Model result = model;
  result.changes.clear();
  for (const Change& change : model.changes) {
    if (change.at <= when) std::visit(Apply(result), change.what);
  }
  return result;
}

}  // namespace sekimori::model

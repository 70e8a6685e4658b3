// For tests that build labs on this machine's kernel: they need root, and touch nothing but namespaces of
// their own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX's
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "importers/site.h"
#include "lab/compare.h"
#include "lab/lab.h"
#include "lab/plan.h"
#include "simulate/run.h"
#include "sys/namespaces.h"

namespace sekimori::lab {

// A name that no other test has, now or in another process.
inline std::string fresh_name() {
  static int number = 0;
  return "test" + std::to_string(::getpid()) + "-" + std::to_string(++number);
}

inline model::Model site_of(std::string_view text) {
  auto site = importers::parse_site("sekimori: 1\n" + std::string(text), "site.yaml");
  EXPECT_TRUE(site.has_value()) << (site ? "" : site.error().text());
  return site ? std::move(*site) : model::Model{};
}

// What a command prints.
inline std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "";
  std::string out;
  char piece[4096];
  for (std::size_t got; (got = std::fread(piece, 1, sizeof piece, pipe)) > 0;) out.append(piece, got);
  ::pclose(pipe);
  return out;
}

// A lab that is removed at the end of the test, come what may.
class TestLab {
 public:
  explicit TestLab(model::Model site, const Facilities& facilities = {})
      : site_(std::move(site)), plan_(make_plan(site_, fresh_name(), facilities)) {}
  TestLab(const TestLab&) = delete;
  ~TestLab() { [[maybe_unused]] const auto gone = down(plan_.lab); }

  base::Result<void> up(const UpOptions& options = {}) const { return lab::up(site_, plan_, options); }
  // A process that builds it and has no chance to clean up.
  void up_killed_after(std::chrono::milliseconds while_it_builds) const {
    const pid_t child = ::fork();
    if (child == 0) {
      [[maybe_unused]] const auto built = up();
      ::_exit(0);
    }
    std::this_thread::sleep_for(while_it_builds);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  const model::Model& site() const { return site_; }
  const Plan& plan() const { return plan_; }
  std::string ip(const std::string& machine, const std::string& command) const {
    return output_of("ip netns exec sekimori." + plan_.lab + "." + machine + " " + command);
  }
  std::size_t namespaces() const { return sys::namespaces_with_prefix(namespace_prefix(plan_.lab)).size(); }

 private:
  model::Model site_;
  Plan plan_;
};

// What the simulator says of the lab's site.
inline simulate::RunResult predict(const TestLab& lab, base::Time until) {
  simulate::Options options;
  options.until = until;
  auto predicted = simulate::run(lab.site(), options);
  EXPECT_TRUE(predicted.has_value());
  return std::move(*predicted);
}

// The same with tables and caches, as the lab compares it.
inline Prediction prediction_of(const TestLab& lab, base::Time until) {
  simulate::Options options;
  options.until = until;
  options.tables = true;
  const auto result = simulate::run(lab.site(), options);
  EXPECT_TRUE(result.has_value());
  Prediction prediction;
  for (const auto& lane : result->lanes) prediction.lanes.push_back({lane.frames, lane.bytes});
  for (const auto& e : result->tables)
    prediction.tables.push_back({e.bridge, e.mac, e.vlan, e.port, e.unheard, e.is_static});
  for (const auto& e : result->neighbours) prediction.neighbours.push_back({e.station, e.ip, e.mac, e.ip6});
  return prediction;
}

}  // namespace sekimori::lab

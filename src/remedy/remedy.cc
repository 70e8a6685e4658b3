#include "remedy/remedy.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <vector>

#include "base/text.h"
#include "check/rules.h"
#include "load/proof.h"
#include "remedy/remedies.h"
#include "simulate/findings.h"
#include "simulate/rates.h"

namespace sekimori::remedy {

using findings::Code;
using findings::Finding;
using findings::RemedyOutcome;
using findings::Report;
using simulate::Rates;
using simulate::RunResult;
using simulate::Span;

namespace {

Report proof_of(const model::Model& model) {
  Report report;
  report.findings = check::structural(model);
  load::prove(model, report);
  return report;
}

// What ends the fault and does nothing else comes first; among equals the table's order, the cause before
// stopgaps.
void rank(Report& report) {
  for (Finding& f : report.findings) {
    std::ranges::stable_sort(f.remedies, {}, [](const RemedyOutcome& r) {
      return std::tuple(!r.ends_fault, r.side_effects.size(), r.ends_fault ? 0.0 : r.after_mbit);
    });
  }
}

bool same_fault(const Finding& a, const Finding& b) {
  if (a.code != b.code) return false;
  if (a.stations.empty() || b.stations.empty()) return a.bridge == b.bridge;
  return std::ranges::any_of(a.stations,
                             [&](auto s) { return std::ranges::find(b.stations, s) != b.stations.end(); });
}

// The part of a run that a finding speaks of. A run that was cut short may end before.
Span span_of(const Finding& f, const Rates& rates, base::Time ended) {
  const base::Time until = std::min(f.until.value_or(ended), ended);
  return rates.between(std::min(f.onset.value_or(base::Time{0}), until), until);
}

// The worst link of those that the finding names. The leaking uplink itself is left out: a remedy that ends
// the flood but not the leak is judged by the flood, and the leak is told as a side effect.
double worst_link(const model::Model& m, const Finding& f, const Rates& rates, const Span& span) {
  double worst = 0;
  if (span.empty()) return worst;
  for (const findings::LinkLoad& named : f.links) {
    const model::Link& link = m[named.link];
    const model::PortId from = named.from_is_a ? link.a : link.b;
    if (f.code == Code::kFloodLeak && m[from].bridge == f.bridge) continue;
    const findings::LinkLoad now = rates.load(named.link, named.from_is_a, span);
    worst = std::max(worst, f.code == Code::kLoop ? now.wanted_mbit + now.flooded_mbit : now.flooded_mbit);
  }
  return worst;
}

double worst_loss(const Finding& f, const Rates& rates, const Span& span) {
  double worst = 0;
  if (span.empty()) return worst;
  for (const findings::FlowImpact& flow : f.flows)
    worst = std::max(worst, rates.quality(flow.id, span).loss_percent);
  return worst;
}

// Where a flood that a remedy does not end is left, and where it is gone.
void remainder(const Finding& f, const Rates& was, const Span& old_span, const Rates& is,
               const Span& new_span, RemedyOutcome& outcome) {
  if (old_span.empty() || new_span.empty()) return;
  constexpr double kSome = 0.01;  // Mbit/s
  std::size_t loaded = 0, freed = 0;
  std::string left;
  double most = 0;
  for (const findings::LinkLoad& named : f.links) {
    if (was.load(named.link, named.from_is_a, old_span).flooded_mbit < kSome) continue;
    ++loaded;
    const findings::LinkLoad now = is.load(named.link, named.from_is_a, new_span);
    freed += now.flooded_mbit < kSome;
    if (now.flooded_mbit > most) {
      most = now.flooded_mbit;
      left = fmt::format("{} to {}", now.from, now.to);
    }
  }
  if (freed > 0 && freed < loaded) {
    outcome.side_effects.push_back(fmt::format("{} of the {} flooded links are free; {} Mbit/s stay at {}",
                                               freed, loaded, base::short_number(most), left));
  }
}

void side_effects(const model::Model& before_model, const RunResult& before, const Report& report,
                  const model::Model& after_model, const RunResult& after, const Report& after_report,
                  const Finding& fault, RemedyOutcome& outcome) {
  const auto leak = std::ranges::find(after_report.findings, Code::kLeakLatent, &Finding::code);
  if (fault.code == Code::kFloodLeak && leak != after_report.findings.end() && !leak->links.empty()) {
    outcome.side_effects.push_back(fmt::format("the leak still loads {} with {} Mbit/s",
                                               leak->links.front().from,
                                               base::short_number(leak->links.front().flooded_mbit)));
  }
  for (const Finding& f : after_report.findings) {
    if (f.severity != findings::Severity::kError || same_fault(f, fault)) continue;
    const auto known = [&](const Finding& g) { return same_fault(f, g); };
    if (std::ranges::none_of(report.findings, known)) outcome.side_effects.push_back("new: " + f.headline);
  }
  // Who gets less than before?
  const Rates was(before_model, before), is(after_model, after);
  const Span old_span = span_of(fault, was, before.ended), new_span = span_of(fault, is, after.ended);
  if (old_span.empty() || new_span.empty()) return;
  for (std::size_t i = 0; i < std::min<std::size_t>(before_model.flows.size(), 10'000); ++i) {
    const model::FlowId id(i);
    const double old_loss = was.quality(id, old_span).loss_percent,
                 new_loss = is.quality(id, new_span).loss_percent;
    if (new_loss <= old_loss + 5) continue;
    outcome.side_effects.push_back(
        fmt::format("{} now loses {} %", name_of(before_model, id), base::short_number(new_loss, 1)));
    if (outcome.side_effects.size() >= 4) return;
  }
}

struct Job {
  Finding* finding;
  Make make;
  RemedyOutcome outcome;  // without a word: the remedy does not fit
};

class Workshop {
 public:
  Workshop(const model::Model& model, const RunResult& baseline, const Options& options, Report& report)
      : model_(model), baseline_(baseline), options_(options), report_(report) {}

  base::Result<void> work() {
    collect();
    std::atomic<std::size_t> next{0}, done{0};
    const auto worker = [&] {
      for (std::size_t i = next++; i < jobs_.size() && !stop_; i = next++) {
        if (auto result = try_out(jobs_[i]); !result) {
          const std::scoped_lock lock(mutex_);
          if (!error_) error_ = result.error();
          stop_ = true;
        }
        const double share = static_cast<double>(++done) / static_cast<double>(jobs_.size());
        const std::scoped_lock lock(mutex_);
        if (options_.progress && !options_.progress(share, jobs_[i].outcome.description)) stop_ = true;
      }
    };
    std::vector<std::jthread> threads;
    for (unsigned t = 1; t < std::min<std::size_t>(options_.threads, jobs_.size()); ++t)
      threads.emplace_back(worker);
    worker();
    threads.clear();
    if (error_) return std::unexpected(*error_);
    for (Job& job : jobs_) {
      if (!job.outcome.word.empty()) job.finding->remedies.push_back(std::move(job.outcome));
    }
    rank(report_);
    return {};
  }

 private:
  void collect() {
    std::size_t left_out = 0;
    for (Finding& f : report_.findings) {
      if (jobs_.size() >= options_.most_trials) {
        ++left_out;
        continue;
      }
      for (const Make make : remedies_for(f.code)) jobs_.push_back({&f, make, {}});
    }
    if (left_out > 0) {
      report_.remarks.push_back(
          fmt::format("Remedies were worked out for the worst findings only; {} have none here.", left_out));
    }
  }

  base::Result<void> try_out(Job& job) {
    const std::optional<Trial> trial = job.make(model_, *job.finding);
    if (!trial) return {};
    simulate::Options run = options_.run;
    run.captures.clear();
    run.on_frame = nullptr;
    run.progress = [this](base::Time) { return !stop_; };
    // A run that a storm cut short says nothing about the time after; a cured one need not be as long as it
    // could be.
    if (baseline_.storm) run.until = std::min(run.until, baseline_.ended + base::seconds(60));
    const auto result = simulate::run(trial->model, run);
    if (!result) return std::unexpected(result.error());
    if (result->stopped) return {};
    Report after = proof_of(trial->model);
    simulate::explain(trial->model, run, *result, after);
    job.outcome = judge(*job.finding, *trial, *result, after);
    return {};
  }

  RemedyOutcome judge(const Finding& fault, const Trial& trial, const RunResult& result,
                      const Report& after) const {
    RemedyOutcome outcome;
    outcome.word = trial.word;
    outcome.description = trial.description;
    outcome.ends_fault =
        std::ranges::none_of(after.findings, [&](const Finding& f) { return same_fault(f, fault); });
    const Rates was(model_, baseline_), is(trial.model, result);
    const Span old_span = span_of(fault, was, baseline_.ended), new_span = span_of(fault, is, result.ended);
    outcome.before_mbit = worst_link(model_, fault, was, old_span);
    outcome.after_mbit = worst_link(trial.model, fault, is, new_span);
    outcome.before_loss_percent = worst_loss(fault, was, old_span);
    outcome.after_loss_percent = worst_loss(fault, is, new_span);
    if (!outcome.ends_fault) remainder(fault, was, old_span, is, new_span, outcome);
    side_effects(model_, baseline_, report_, trial.model, result, after, fault, outcome);
    return outcome;
  }

  const model::Model& model_;
  const RunResult& baseline_;
  const Options& options_;
  Report& report_;
  std::vector<Job> jobs_;
  std::mutex mutex_;
  std::atomic<bool> stop_ = false;
  std::optional<base::Error> error_;
};

}  // namespace

namespace {

// The worst flood on the links that a finding names; the leaking uplink is told as a side effect.
double worst_proved(const model::Model& m, const Finding& f) {
  double worst = 0;
  for (const findings::LinkLoad& load : f.links) {
    const model::Link& link = m[load.link];
    const model::PortId from = load.from_is_a ? link.a : link.b;
    if (f.code == Code::kFloodLeak && m[from].bridge == f.bridge) continue;
    worst = std::max(worst, f.code == Code::kLinkOverloaded ? load.dropped_mbit : load.flooded_mbit);
  }
  return worst;
}

// Which of the flooded links a remedy frees that does not end the fault. A remedy keeps the links there are.
void proved_remainder(const Finding& was, const Finding& is, RemedyOutcome& outcome) {
  std::size_t freed = 0;
  for (const findings::LinkLoad& before : was.links) {
    freed += std::ranges::none_of(is.links, [&](const findings::LinkLoad& now) {
      return now.link == before.link && now.from_is_a == before.from_is_a && now.flooded_mbit >= 0.01;
    });
  }
  if (freed == 0 || freed == was.links.size()) return;
  outcome.side_effects.push_back(
      fmt::format("{} of the {} flooded links are free; {} Mbit/s stay at {} to {}", freed, was.links.size(),
                  base::short_number(outcome.after_mbit), is.links.front().from, is.links.front().to));
}

RemedyOutcome judge_by_proof(const model::Model& model, const Report& before, const Finding& fault,
                             const Trial& trial) {
  const Report after = proof_of(trial.model);
  RemedyOutcome outcome;
  outcome.word = trial.word;
  outcome.description = trial.description;
  outcome.before_mbit = worst_proved(model, fault);
  outcome.ends_fault = true;
  for (const Finding& f : after.findings) {
    if (same_fault(f, fault)) {
      outcome.ends_fault = false;
      outcome.after_mbit = std::max(outcome.after_mbit, worst_proved(trial.model, f));
      proved_remainder(fault, f, outcome);
    } else if (fault.code == Code::kFloodLeak && f.code == Code::kLeakLatent && f.bridge == fault.bridge) {
      outcome.side_effects.push_back(f.headline);
    } else if (f.severity == findings::Severity::kError &&
               std::ranges::none_of(before.findings, [&](const Finding& g) { return same_fault(f, g); })) {
      outcome.side_effects.push_back("new: " + f.headline);
    }
  }
  return outcome;
}

}  // namespace

void search(const model::Model& model, const ProofOptions& options, Report& report) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + options.budget;
  const Report before = report;
  std::size_t untried = 0, done = 0;
  bool go_on = true;
  for (Finding& f : report.findings) {
    const auto makes = remedies_for(f.code);
    if (!makes.empty() && (!go_on || Clock::now() > end)) {
      ++untried;
      continue;
    }
    for (const Make make : makes) {
      const std::optional<Trial> trial = make(model, f);
      if (!trial) continue;
      const double share = static_cast<double>(done) / static_cast<double>(report.findings.size());
      go_on = go_on && (!options.progress || options.progress(share, trial->description));
      if (!go_on || Clock::now() > end) break;
      f.remedies.push_back(judge_by_proof(model, before, f, *trial));
    }
    ++done;
  }
  rank(report);
  if (untried > 0) {
    report.remarks.push_back(
        fmt::format("Remedies were tried for the worst findings only; {} findings have none here.", untried));
  }
}

base::Result<void> work_out(const model::Model& model, const RunResult& baseline, const Options& options,
                            Report& report) {
  return Workshop(model, baseline, options, report).work();
}

}  // namespace sekimori::remedy

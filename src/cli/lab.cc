#include "cli/lab.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/lab_output.h"
#include "cli/lab_run.h"
#include "cli/site.h"
#include "lab/lab.h"
#include "lab/plan.h"

namespace sekimori::cli {
namespace {

struct Lab {
  model::Model site;  // at the lab's scale
  lab::Plan plan;
};

Step<std::string> name_for(const LabArguments& arguments) {
  auto name =
      lab::check_lab_name(arguments.name.empty() ? lab::default_lab_name(arguments.site) : arguments.name);
  if (!name) return stop(kBadInput, name.error().what);
  return std::move(*name);
}

Step<Lab> load_lab(const LabArguments& arguments) {
  if (arguments.site.empty()) return stop(kBadInput, fmt::format("lab {}: which SITE?", arguments.action));
  auto name = name_for(arguments);
  if (!name) return std::unexpected(name.error());
  auto site = load_site(arguments.site, arguments.seed);
  if (!site) return std::unexpected(site.error());
  model::Model scaled = lab::scaled(std::move(*site), arguments.scale);
  lab::Plan plan = lab::plan_for(scaled, *name, lab::facilities(scaled));
  // Guests that boot have been up for a while when a run begins, and announce themselves as their systems do.
  for (const lab::PlannedGuest& guest : plan.guests) {
    scaled[guest.machine].arp.announce_at_start = false;
    scaled[guest.machine].arp.announce_every = base::Duration{0};
  }
  return Lab{std::move(scaled), std::move(plan)};
}

Step<void> tell(const LabArguments& arguments, const std::string& text, const std::string& json) {
  if (arguments.output.json != "-") {
    if (auto done = print(text); !done) return done;
  }
  if (arguments.output.json.empty()) return {};
  Outputs outputs(arguments.site);
  auto file = outputs.open(arguments.output.json);
  if (!file) return std::unexpected(file.error());
  return finish(*file, json);
}

// ---------------------------------------------------------------- up

std::string some_of(const std::vector<std::string>& parts) {
  constexpr std::size_t kMost = 3;
  const std::size_t shown = std::min(parts.size(), kMost);
  std::string text =
      fmt::format("{}", fmt::join(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < parts.size()) text += fmt::format(" and {} more", parts.size() - shown);
  return text;
}

// Without veth pairs and bridges there is nothing left to build.
bool is_vital(lab::Feature feature) {
  return feature == lab::Feature::kVeth || feature == lab::Feature::kBridge;
}

Step<std::vector<lab::Feature>> features_left_out(const LabArguments& arguments, const lab::Plan& plan) {
  const auto lacks = lab::probe(plan);
  if (!lacks) return stop(kFailed, lacks.error().what);
  std::string missing;
  std::vector<lab::Feature> left_out;
  bool vital = false;
  for (const lab::Lack& lack : *lacks) {
    missing += fmt::format("The kernel lacks {}, which {} need(s). {}\n", lab::to_text(lack.feature),
                           some_of(lack.parts), lack.error);
    left_out.push_back(lack.feature);
    vital |= is_vital(lack.feature);
  }
  for (const lab::Remark& remark : plan.unsupported)
    missing += fmt::format("{}: {}\n", remark.part, remark.what);
  if (missing.empty()) return left_out;
  if (vital) return stop(kFailed, missing + "Without this there is no lab.");
  if (!arguments.skip_unsupported)
    return stop(kFailed, missing + "--skip-unsupported builds the rest of the site.");
  if (!arguments.output.quiet) complain(missing + "The rest is built.");
  return left_out;
}

Step<void> bring_up(const LabArguments& arguments, const Lab& lab) {
  const auto left_out = features_left_out(arguments, lab.plan);
  if (!left_out) return std::unexpected(left_out.error());
  sys::Progress progress = make_progress(arguments.output);
  progress.begin();
  lab::UpOptions options{.without = *left_out, .progress = [&](double share) {
                           progress.update("building the lab", share);
                           return !sys::interrupted();
                         }};
  const auto built = lab::up(lab.site, lab.plan, options);
  progress.erase();
  if (!built) return stop(sys::interrupted() ? int{kInterrupted} : int{kFailed}, built.error().what);
  return {};
}

Step<int> do_up(const LabArguments& arguments) {
  const auto lab = load_lab(arguments);
  if (!lab) return std::unexpected(lab.error());
  if (auto up = bring_up(arguments, *lab); !up) return std::unexpected(up.error());
  const std::string example = lab->plan.spaces.empty() ? "NAMESPACE" : lab->plan.namespace_of(0);
  const std::string text =
      fmt::format("lab {} is up: {} namespaces.\nsudo ip netns exec {} bash   is a shell in one of them.\n",
                  lab->plan.lab, lab->plan.spaces.size(), example);
  if (auto told = tell(arguments, text, plan_json(lab->site, lab->plan)); !told)
    return std::unexpected(told.error());
  return kClean;
}

// ---------------------------------------------------------------- run

Step<lab::Measurement> measure(const LabArguments& arguments, const Lab& lab) {
  sys::Progress progress = make_progress(arguments.output);
  progress.begin();
  const lab::RunOptions options{.time = arguments.run_for, .progress = [&](double share) {
                                  progress.update("running the lab", share);
                                  return !sys::interrupted();
                                }};
  auto measured = lab::run(lab.site, lab.plan, options);
  progress.erase();
  if (!measured) return stop(kFailed, measured.error().what);
  return std::move(*measured);
}

// A lab that is not there is built for the run, and removed after it unless it is to be kept.
Step<int> do_run(const LabArguments& arguments) {
  const auto lab = load_lab(arguments);
  if (!lab) return std::unexpected(lab.error());
  const auto before = lab::status(lab->plan);
  if (!before) return stop(kFailed, before.error().what);
  const bool builds = before->there == 0 && before->foreign.empty();
  if (builds) {
    if (auto up = bring_up(arguments, *lab); !up) return std::unexpected(up.error());
  }
  const auto measured = measure(arguments, *lab);
  if (builds && !arguments.keep) {
    if (auto gone = lab::down(lab->plan.lab); !gone) return stop(kFailed, gone.error().what);
  }
  if (!measured) return std::unexpected(measured.error());
  const auto predicted = predict(lab->site, measured->time);
  if (!predicted) return stop(kFailed, predicted.error().what);
  const lab::Comparison comparison = lab::compare(lab->site, *predicted, *measured);
  auto told =
      tell(arguments,
           comparison_text(lab->site, lab->plan.lab, *measured, comparison, text_options(arguments.output)),
           comparison_json(lab->site, lab->plan.lab, *measured, comparison));
  if (!told) return std::unexpected(told.error());
  return measured->stopped ? kInterrupted : kClean;
}

// ---------------------------------------------------------------- plan, status, down

Step<int> do_plan(const LabArguments& arguments) {
  const auto lab = load_lab(arguments);
  if (!lab) return std::unexpected(lab.error());
  auto told = tell(arguments, plan_text(lab->site, lab->plan, text_options(arguments.output)),
                   plan_json(lab->site, lab->plan));
  if (!told) return std::unexpected(told.error());
  return kClean;
}

Step<int> list_labs() {
  std::string text;
  for (const auto& [name, namespaces] : lab::list())
    text += fmt::format("{}: {} namespaces\n", name, namespaces);
  if (auto done = print(text.empty() ? "No labs.\n" : text); !done) return std::unexpected(done.error());
  return kClean;
}

Step<int> do_status(const LabArguments& arguments) {
  if (arguments.site.empty()) return list_labs();
  const auto lab = load_lab(arguments);
  if (!lab) return std::unexpected(lab.error());
  const auto status = lab::status(lab->plan);
  if (!status) return stop(kFailed, status.error().what);
  auto told = tell(arguments, status_text(lab->plan, *status, text_options(arguments.output)),
                   status_json(lab->plan, *status));
  if (!told) return std::unexpected(told.error());
  return kClean;
}

Step<int> do_down(const LabArguments& arguments) {
  if (arguments.site.empty() && arguments.name.empty())
    return stop(kBadInput,
                "lab down: which SITE, or which --name? \"sekimori lab status\" lists what is there.");
  const auto name = name_for(arguments);
  if (!name) return std::unexpected(name.error());
  const auto removed = lab::down(*name);
  if (!removed) return stop(kFailed, removed.error().what);
  std::string text = removed->namespaces == 0
                         ? fmt::format("There is no lab {}.\n", *name)
                         : fmt::format("lab {} is gone: {} namespaces.\n", *name, removed->namespaces);
  for (const std::string& other : removed->others)
    text += fmt::format("The namespace {} stays: no lab made it.\n", other);
  if (!arguments.output.quiet) {
    if (auto done = print(text); !done) return std::unexpected(done.error());
  }
  return kClean;
}

Step<int> act(const LabArguments& arguments) {
  if (arguments.action == "plan") return do_plan(arguments);
  if (arguments.action == "up") return do_up(arguments);
  if (arguments.action == "run") return do_run(arguments);
  if (arguments.action == "status") return do_status(arguments);
  return do_down(arguments);
}

}  // namespace

int lab(const LabArguments& arguments) {
  const auto exit = act(arguments);
  return exit ? *exit : complain(exit.error());
}

}  // namespace sekimori::cli

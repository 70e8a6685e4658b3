#include "lab/scale.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace sekimori::lab {
namespace {

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Scale> parse(std::string_view text) {
  if (const auto slash = text.find('/'); slash != text.npos) {
    const auto above = whole(text.substr(0, slash)), below = whole(text.substr(slash + 1));
    if (!above || !below) return std::nullopt;
    return Scale{*above, *below};
  }
  const auto point = text.find('.');
  if (point == text.npos) {
    const auto number = whole(text);
    return number ? std::optional(Scale{*number, 1}) : std::nullopt;
  }
  const std::string_view digits = text.substr(point + 1);
  if (digits.empty() || digits.size() > 6 || digits.front() == '-' || digits.front() == '+')
    return std::nullopt;
  const auto units = whole(text.substr(0, point)), fraction = whole(digits);
  if (!units || !fraction) return std::nullopt;
  std::int64_t denominator = 1;
  for (std::size_t i = 0; i < digits.size(); ++i) denominator *= 10;
  return Scale{*units * denominator + *fraction, denominator};
}

void apply(model::Change& change, Scale scale) {
  change.at = scaled(change.at, scale);
  if (auto* option = std::get_if<model::SetBridge>(&change.what);
      option != nullptr && option->option == model::BridgeOption::kAgeing) {
    option->value = scaled(base::Duration(option->value), scale).count();
  }
}

}  // namespace

base::Result<Scale> parse_scale(std::string_view text) {
  const auto scale = parse(text);
  constexpr std::int64_t kMost = 1'000'000;
  if (!scale || scale->numerator <= 0 || scale->denominator > kMost ||
      scale->numerator > scale->denominator) {
    return base::fail(
        fmt::format("\"{}\" is no scale: write a fraction such as 1/60, more than 0 and at most 1.", text));
  }
  return *scale;
}

base::Duration scaled(base::Duration d, Scale scale) {
  if (d == base::kNever) return d;
  return base::Duration(
      static_cast<std::int64_t>(static_cast<__int128_t>(d.count()) * scale.numerator / scale.denominator));
}

model::Model scaled(model::Model site, Scale scale) {
  if (scale.numerator == scale.denominator) return site;
  for (model::Bridge& bridge : site.bridges) bridge.ageing = scaled(bridge.ageing, scale);
  for (model::Machine& machine : site.machines) {
    for (model::ArpSettings* resolution : {&machine.arp, &machine.nd}) {
      resolution->timeout = scaled(resolution->timeout, scale);
      resolution->announce_every = scaled(resolution->announce_every, scale);
    }
    machine.advertise_every = scaled(machine.advertise_every, scale);
  }
  for (model::SharedAddress& shared : site.shared) {
    shared.interval = scaled(shared.interval, scale);
    shared.hold = scaled(shared.hold, scale);
  }
  for (model::Flow& flow : site.flows) {
    flow.interval = scaled(flow.interval, scale);
    flow.start = scaled(flow.start, scale);
    flow.stop = scaled(flow.stop, scale);
  }
  for (model::Change& change : site.changes) apply(change, scale);
  return site;
}

}  // namespace sekimori::lab

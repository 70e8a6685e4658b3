#include "tests/oracle/oracle.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <regex>

#include "tests/oracle/truth.h"
#include "watch/diagnose.h"
#include "watch/observer.h"

namespace sekimori::oracle {

using findings::Certainty;
using findings::Code;
using findings::Finding;
using findings::Severity;

namespace {

// ---------------------------------------------------------------- what is claimed

struct Claim {
  const Finding* finding = nullptr;
  std::set<Code> codes;  // told, or left
  std::set<Mac> macs;    // that the headline names
  std::set<wire::Ipv4> ips;
  std::optional<std::int64_t> ageing_ms;
  bool open = false;
};

bool is_flood(Code code) { return findings::entry(code).word.starts_with("flood-"); }

template <class Found>
void each_match(const std::string& text, const char* pattern, Found found) {
  const std::regex regex(pattern);
  for (std::sregex_iterator i(text.begin(), text.end(), regex), end; i != end; ++i) found(*i);
}

Claim claim_of(const Finding& f) {
  Claim claim;
  claim.finding = &f;
  claim.open = f.certainty == Certainty::kUndecided;
  if (!claim.open || f.candidates.empty()) claim.codes.insert(f.code);
  for (const std::string& candidate : f.candidates) {
    each_match(candidate, "[a-z]+(-[a-z]+)+|loop|reflection", [&](const std::smatch& word) {
      if (const auto code = findings::code_of(word.str())) claim.codes.insert(*code);
    });
  }
  each_match(f.headline, "([0-9a-f]{2}:){5}[0-9a-f]{2}",
             [&](const std::smatch& mac) { claim.macs.insert(*wire::parse_mac(mac.str())); });
  each_match(f.headline, "[0-9]+(\\.[0-9]+){3}",
             [&](const std::smatch& ip) { claim.ips.insert(*wire::parse_ipv4(ip.str())); });
  each_match(f.cause, "([0-9.]+) s is the ageing time", [&](const std::smatch& time) {
    claim.ageing_ms = static_cast<std::int64_t>(std::stod(time[1].str()) * 1000);
  });
  return claim;
}

// ---------------------------------------------------------------- is it true

bool about(const std::set<Mac>& facts, const Claim& claim) {
  return std::ranges::any_of(claim.macs, [&](Mac mac) { return facts.contains(mac); });
}

bool near(std::int64_t a, std::int64_t b) { return std::abs(a - b) * 10 <= b + 1000; }

bool flood_is(Code code, const FloodFacts& facts, const Claim& claim, const Truth& truth) {
  switch (code) {
    case Code::kFloodLeak:
      return facts.leaks;
    case Code::kFloodVeb:
      return facts.beside;
    case Code::kFloodBypass:
      return facts.bypassed;
    case Code::kFloodSilent:
      return facts.unheard ||
             std::ranges::none_of(claim.macs, [&](Mac mac) { return facts.answers.contains(mac); });
    case Code::kFloodTimers:
      return facts.forgotten &&
             (!claim.ageing_ms || std::ranges::any_of(facts.ageing_ms, [&](std::int64_t ms) {
               return near(*claim.ageing_ms, ms);
             }));
    case Code::kFloodAsymmetric:
      return facts.forgotten && (facts.routes || !facts.answers.empty()) && !facts.leaks;
    case Code::kFloodNoLearning:
      return facts.not_learnt;
    case Code::kFloodTableFull:
      return facts.refused;
    case Code::kFloodTopologyChange:
      return facts.forgotten && truth.flushes;
    default:
      return false;
  }
}

// The stations whose floods a claim is about: of those that a port shows.
std::set<Subject> receivers_of(const Claim& claim, const std::set<Subject>& shown) {
  std::set<Subject> out;
  for (const Subject& subject : shown) {
    if (claim.macs.empty() || claim.macs.contains(subject.mac)) out.insert(subject);
  }
  return out;
}

bool some_code_is_true(const Claim& claim, const Subject& receiver, const Truth& truth) {
  const auto facts = truth.floods.find(receiver);
  return facts != truth.floods.end() && std::ranges::any_of(claim.codes, [&](Code code) {
           return is_flood(code) && flood_is(code, facts->second, claim, truth);
         });
}

bool is_true(const Claim& claim, const Truth& truth, const Traffic& traffic) {
  const Code code = claim.finding->code;
  if (truth.loops &&
      (code == Code::kLoop || code == Code::kStorm || code == Code::kReflection || code == Code::kMacMoves))
    return true;
  switch (code) {
    case Code::kMacDuplicate:
      return about(truth.duplicates, claim);
    case Code::kMacMoves:
      return about(truth.moved, claim) || about(truth.duplicates, claim);
    case Code::kIpDuplicate:
      return std::ranges::any_of(claim.ips, [&](wire::Ipv4 ip) { return truth.duplicate_ips.contains(ip); });
    case Code::kArpUnanswered:
      return std::ranges::any_of(claim.ips, [&](wire::Ipv4 ip) {
        const auto answers = truth.answers.find({*claim.macs.begin(), ip});
        return answers == truth.answers.end() || answers->second < 5;
      });
    case Code::kMacWellKnown:
      return true;  // the address says it
    case Code::kStorm:
      return traffic.busiest_second() > 1000;
    default:
      break;
  }
  if (!is_flood(code)) return false;
  // A claim about several stations must be true of one that the port shows.
  auto shown = traffic.flooded();
  shown.merge(traffic.unclear());
  return std::ranges::any_of(receivers_of(claim, shown), [&](const Subject& subject) {
    return some_code_is_true(claim, subject, truth);
  });
}

// ---------------------------------------------------------------- the verdict

enum class Outcome : std::uint8_t { kMissed, kOpen, kNamed };

void count(Outcome outcome, Score& score) {
  switch (outcome) {
    case Outcome::kNamed:
      ++score.named;
      return;
    case Outcome::kOpen:
      ++score.open;
      return;
    case Outcome::kMissed:
      ++score.missed;
  }
}

class PortJudge {
 public:
  PortJudge(const Truth& truth, const Traffic& traffic, std::string name)
      : truth_(truth), traffic_(traffic), name_(std::move(name)), flooded_(traffic.flooded()) {}

  void judge(const findings::Report& report, Verdict& verdict, Score& score, std::string_view mode) const {
    std::vector<Claim> claims;
    for (const Finding& f : report.findings) claims.push_back(claim_of(f));
    for (const Claim& claim : claims) {
      if (claim.finding->code == Code::kArpUnanswered) verdict.healthy = false;
      if (claim.finding->severity == Severity::kNote || is_true(claim, truth_, traffic_)) continue;
      (is_misled(claim) ? verdict.misled : verdict.false_claims)
          .push_back(fmt::format("{} ({}): {}: {}. {} [{}]", name_, mode,
                                 findings::entry(claim.finding->code).word, claim.finding->headline,
                                 claim.finding->cause, fmt::join(claim.finding->candidates, "; ")));
    }
    const auto tell = [&](std::string what, Outcome outcome) {
      count(outcome, score);
      if (outcome == Outcome::kMissed)
        verdict.misses.push_back(fmt::format("{} ({}): {}", name_, mode, what));
    };
    for (const Subject& subject : faults_of_floods())
      tell("flood for " + wire::to_text(subject.mac), flood(claims, subject));
    for (const Mac mac : duplicates())
      tell("duplicate " + wire::to_text(mac), named(claims, Code::kMacDuplicate));
    for (const wire::Ipv4 ip : contested())
      tell("duplicate " + wire::to_text(ip), named(claims, Code::kIpDuplicate));
    if (loops()) tell("loop", named(claims, Code::kLoop));
  }

  int visible() const {
    return static_cast<int>(faults_of_floods().size() + duplicates().size() + contested().size()) +
           (loops() ? 1 : 0);
  }

 private:
  bool loops() const { return truth_.loops && traffic_.loops(); }

  bool is_misled(const Claim& claim) const {
    auto shown = flooded_;
    shown.merge(traffic_.unclear());
    return is_flood(claim.finding->code) &&
           std::ranges::any_of(receivers_of(claim, shown), [&](const Subject& subject) {
             const auto facts = truth_.floods.find(subject);
             return facts != truth_.floods.end() && facts->second.not_learnt;
           });
  }

  // In a loop everything is flooded; the loop is the fault.
  std::set<Subject> faults_of_floods() const { return truth_.loops ? std::set<Subject>{} : flooded_; }

  std::set<Mac> duplicates() const {
    std::set<Mac> out;
    for (const Mac mac : traffic_.two_sided()) {
      if (truth_.duplicates.contains(mac)) out.insert(mac);
    }
    return out;
  }

  std::set<wire::Ipv4> contested() const {
    std::set<wire::Ipv4> out;
    for (const wire::Ipv4 ip : traffic_.contested()) {
      if (truth_.duplicate_ips.contains(ip)) out.insert(ip);
    }
    return out;
  }

  Outcome flood(const std::vector<Claim>& claims, const Subject& subject) const {
    Outcome best = Outcome::kMissed;
    for (const Claim& claim : claims) {
      if (!is_flood(claim.finding->code) || !receivers_of(claim, flooded_).contains(subject)) continue;
      if (!some_code_is_true(claim, subject, truth_)) continue;
      best = std::max(best, claim.open ? Outcome::kOpen : Outcome::kNamed);
    }
    return best;
  }

  static Outcome named(const std::vector<Claim>& claims, Code code) {
    Outcome best = Outcome::kMissed;
    for (const Claim& claim : claims) {
      if (claim.codes.contains(code)) best = std::max(best, claim.open ? Outcome::kOpen : Outcome::kNamed);
    }
    return best;
  }

  const Truth& truth_;
  const Traffic& traffic_;
  std::string name_;
  std::set<Subject> flooded_;
};

// Two captures of a port: with directions and without.
struct Tap {
  watch::Observer directed, plain;
  std::uint64_t number = 0;

  explicit Tap(const std::string& name) {
    wire::CaptureInterface interface;
    interface.name = name;
    directed.interfaces({&interface, 1});
    plain.interfaces({&interface, 1});
  }

  void frame(const simulate::CapturedFrame& captured) {
    wire::Frame frame;
    frame.number = ++number;
    frame.timestamp_ns = std::chrono::floor<std::chrono::nanoseconds>(captured.at).count();
    frame.original_length = static_cast<std::uint32_t>(captured.bytes.size());
    frame.bytes = {reinterpret_cast<const std::uint8_t*>(captured.bytes.data()), captured.bytes.size()};
    plain.frame(frame);
    frame.direction = captured.inbound ? wire::Direction::inbound : wire::Direction::outbound;
    directed.frame(frame);
  }
};

}  // namespace

Score& Score::operator+=(const Score& other) {
  named += other.named;
  open += other.open;
  missed += other.missed;
  return *this;
}

Verdict& Verdict::operator+=(const Verdict& other) {
  ports += other.ports;
  visible += other.visible;
  misled.insert(misled.end(), other.misled.begin(), other.misled.end());
  directed += other.directed;
  plain += other.plain;
  false_claims.insert(false_claims.end(), other.false_claims.begin(), other.false_claims.end());
  misses.insert(misses.end(), other.misses.begin(), other.misses.end());
  healthy = healthy && other.healthy;
  return *this;
}

Verdict judge(const model::Model& model, base::Time until) {
  std::vector<std::unique_ptr<Tap>> taps;
  for (const model::PortId port : linked_ports(model))
    taps.push_back(std::make_unique<Tap>(name_of(model, port)));
  const Played played = play(model, until, [&](std::size_t port, const simulate::CapturedFrame& frame) {
    taps[port]->frame(frame);
  });
  Verdict verdict;
  verdict.healthy =
      !played.truth.loops && played.truth.duplicates.empty() && played.truth.duplicate_ips.empty();
  for (std::size_t i = 0; i < played.ports.size(); ++i) {
    if (played.traffic[i].frames() == 0) continue;
    const PortJudge port(played.truth, played.traffic[i], name_of(model, played.ports[i]));
    ++verdict.ports;
    verdict.visible += port.visible();
    verdict.healthy = verdict.healthy && port.visible() == 0;
    port.judge(watch::report_of(taps[i]->directed.finish(), std::nullopt), verdict, verdict.directed,
               "directed");
    port.judge(watch::report_of(taps[i]->plain.finish(), std::nullopt), verdict, verdict.plain, "plain");
  }
  return verdict;
}

}  // namespace sekimori::oracle

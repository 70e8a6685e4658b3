#include "findings/identity.h"

#include <algorithm>
#include <map>

#include "base/fingerprint.h"
#include "base/text.h"

namespace sekimori::findings {
namespace {

// A switch that floods everything does so for whoever is sent to: the stations only tell of the traffic.
bool is_about_stations(const Finding& f) {
  return f.code != Code::kFloodNoLearning && f.code != Code::kFloodTableFull &&
         f.code != Code::kBlackholeSuppressed;
}

// A ring told as "sw1, sw2 and sw3" is the same as "sw2, sw3 and sw1".
std::vector<std::string> words_of(std::string text) {
  std::ranges::replace(text, ',', ' ');
  std::vector<std::string> words;
  for (const std::string_view word : base::split(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  std::ranges::sort(words);
  return words;
}

std::uint64_t fingerprint_of(const model::Model& model, const Finding& f) {
  std::vector<std::string> stations;
  if (is_about_stations(f)) {
    for (const model::StationId s : f.stations) stations.push_back(name_of(model, s));
  }
  // Where the stations are the thing at fault, `where` lists the same names, perhaps cut short.
  const bool told_twice = !stations.empty() && f.where.starts_with(stations.front());
  std::ranges::sort(stations);

  base::Fingerprint fingerprint;
  fingerprint.add(entry(f.code).word);
  if (!told_twice) {
    for (const std::string& word : words_of(f.where)) fingerprint.add(word);
  }
  fingerprint.add(std::uint64_t{stations.size()});
  for (const std::string& station : stations) fingerprint.add(station);
  return fingerprint.value();
}

}  // namespace

void identify(const model::Model& model, std::vector<Finding>& findings) {
  std::map<std::uint64_t, std::uint64_t> seen;
  for (Finding& finding : findings) {
    finding.fingerprint = fingerprint_of(model, finding);
    const std::uint64_t before = seen[finding.fingerprint]++;
    if (before == 0) continue;
    base::Fingerprint further;
    further.add(finding.fingerprint);
    further.add(before);
    finding.fingerprint = further.value();
  }
}

}  // namespace sekimori::findings

// What clients of a registry did, and whether it can be right: the judge of the concurrency tests.
//
// Each client writes a line before and after every request to a file of its own, with the time of a clock
// that all processes share. An address is **surely held** by a request from the moment its answer came until
// the moment somebody asked for its release. If two sure intervals of one address overlap, it was handed out
// twice. A client that was killed leaves a request without an answer: what it may have got is unknown, and
// the registry may know it; what the registry knows and nobody ever asked for was invented.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "macs/registry.h"

namespace sekimori::macs_tests {

using macs::Entry;
using macs::Mac;

inline std::int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

class Log {
 public:
  explicit Log(const std::filesystem::path& path) : file_(std::fopen(path.c_str(), "a")) {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log() { std::fclose(file_); }

  void ask(const std::string& token) { line("ask " + token); }
  void got(const std::string& token, const std::vector<macs::Grant>& grants) {
    std::string text = "got " + token;
    for (const macs::Grant& grant : grants) text += " " + wire::to_text(grant.mac);
    line(text);
  }
  void failed(const std::string& token, const macs::Failure& failure) {
    line((failure.kind == macs::Failure::Kind::kUnknown ? "unknown " : "failed ") + token);
  }
  void releasing(Mac mac) { line("releasing " + wire::to_text(mac)); }
  void released(Mac mac) { line("released " + wire::to_text(mac)); }

 private:
  // One write(2) a line: a killed client leaves whole lines, or at worst half of its last.
  void line(const std::string& text) {
    std::fputs((std::to_string(now_ns()) + " " + text + "\n").c_str(), file_);
    std::fflush(file_);
  }
  std::FILE* file_;
};

struct History {
  struct Hold {
    std::int64_t from, until;
    std::string token;
  };
  std::map<Mac, std::vector<Hold>> holds;
  std::map<Mac, std::vector<std::int64_t>> releases;  // asked for
  std::set<std::string> asked, answered, refused;
  std::size_t granted = 0;

  static constexpr std::int64_t kForEver = std::int64_t{1} << 62;

  static History read(const std::filesystem::path& folder) {
    History h;
    struct Line {
      std::int64_t at;
      std::string text;
    };
    std::vector<Line> lines;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      std::ifstream in(file.path());
      for (std::string text; std::getline(in, text);) {
        if (in.eof()) break;  // without its end: half a line
        std::size_t digits = 0;
        const std::int64_t at = std::stoll(text, &digits);
        lines.push_back({at, text.substr(digits + 1)});
      }
    }
    std::ranges::stable_sort(lines, {}, &Line::at);
    for (const Line& line : lines) h.add(line.at, line.text);
    return h;
  }

  void add(std::int64_t at, const std::string& text) {
    std::istringstream words(text);
    std::string verb, token;
    words >> verb >> token;
    if (verb == "ask") asked.insert(token);
    if (verb == "failed") refused.insert(token);
    if (verb == "releasing") {
      const Mac mac = *wire::parse_mac(token);
      releases[mac].push_back(at);
      for (Hold& hold : holds[mac]) hold.until = std::min(hold.until, at);
    }
    if (verb == "got") {
      answered.insert(token);
      for (std::string mac; words >> mac;) {
        holds[*wire::parse_mac(mac)].push_back({at, kForEver, token});
        ++granted;
      }
    }
  }

  // Everything that is wrong, in words; empty: all is well.
  std::string wrongs(const std::vector<Entry>& registry) const {
    std::string text;
    const auto say = [&](Mac mac, const std::string& what) {
      text += wire::to_text(mac) + " " + what + "\n";
    };
    for (const auto& [mac, list] : holds) {
      for (std::size_t i = 1; i < list.size(); ++i) {
        if (list[i].from < list[i - 1].until) say(mac, "was handed out twice");
      }
      for (const Hold& hold : list) {
        if (!asked.contains(hold.token)) say(mac, "was answered to a request that nobody made");
      }
    }
    std::map<Mac, const Entry*> known;
    for (const Entry& entry : registry) {
      if (!known.emplace(entry.mac, &entry).second) say(entry.mac, "is in the registry twice");
      if (entry.state == macs::State::kFreed) continue;
      if (!asked.contains(entry.token)) say(entry.mac, "is in the registry and was never asked for");
      if (refused.contains(entry.token))
        say(entry.mac, "is in the registry, but the client was told that it failed");
    }
    for (const auto& [mac, list] : holds) {
      if (list.back().until != kForEver) continue;
      const auto at = known.find(mac);
      if (at == known.end() || at->second->state != macs::State::kAllocated)
        say(mac, "was handed out and the registry does not know");
      else if (at->second->token != list.back().token)
        say(mac, "was handed out to one and is recorded for another");
    }
    return text;
  }
};

}  // namespace sekimori::macs_tests

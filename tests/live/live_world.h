// sekimori diagnose if:... in namespaces of the test's own, and what it told.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/exit.h"
#include "sys/signals.h"
#include "tests/support/folder.h"
#include "tests/support/netns.h"
#include "tests/support/raw_sender.h"
#include "wire/emit.h"

namespace sekimori::testing {

using nlohmann::json;
using namespace std::chrono_literals;

inline std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// A run of the program, and where its output goes.
class Program {
 public:
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string out() const { return read_file(folder_ / "out"); }
  std::string err() const { return read_file(folder_ / "err"); }

  // In that namespace, with its output in files.
  Child run(const Netns& where, std::vector<std::string> arguments, uid_t user = 0) const {
    return where.start([this, arguments = std::move(arguments), user] {
      if (freopen(path("out").c_str(), "w", stdout) == nullptr) return 96;
      if (freopen(path("err").c_str(), "w", stderr) == nullptr) return 96;
      if (user != 0 && setuid(user) != 0) return 96;
      sys::catch_interrupts();
      const int exit = cli::run_command_line(arguments);
      std::fflush(nullptr);
      return exit;
    });
  }
  // Until it listens: JSON lines begin with that.
  void await_start() const {
    for (int i = 0; i < 1000 && out().find('\n') == std::string::npos; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_THAT(out(), ::testing::HasSubstr("\"start\""));
  }
  std::vector<json> events() const {
    std::vector<json> list;
    const std::string text = out();
    for (const std::string_view line : base::split(text, '\n')) {
      if (!line.empty()) list.push_back(json::parse(line));
    }
    return list;
  }
  json report() const {
    const auto all = events();
    return all.empty() ? json() : all.back().value("report", json());
  }
  // "new flood-undecided", in their order.
  std::vector<std::string> changes() const {
    std::vector<std::string> words;
    for (const json& e : events()) {
      if (e["event"] == "finding")
        words.push_back(std::string(e["change"]) + " " + std::string(e["finding"]["code"]));
    }
    return words;
  }

 private:
  Folder folder_;
};

}  // namespace sekimori::testing

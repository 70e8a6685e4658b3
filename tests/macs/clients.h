// Many processes that allocate and release at once, and may be killed at any moment.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "sys/entropy.h"
#include "tests/macs/history.h"
#include "tests/macs/stores.h"

namespace sekimori::macs_tests {

using Open = std::function<Outcome<std::unique_ptr<Registry>>()>;

struct Work {
  int requests = 0;       // of each client; 0: until it is killed
  std::size_t most = 1;   // addresses a request, at most
  bool releases = false;  // some of what it got
  bool owners = false;    // asks for owners that all clients share, so that they meet
  int lasts_s = 60;       // never longer, whatever happens
};

// What one client does. Failures are written down; it goes on, with a new connection.
inline void be_client(const Open& open, const std::filesystem::path& logs, int number, std::uint64_t seed,
                      const Work& work) {
  Log log(logs / (std::to_string(number) + "-" + std::to_string(getpid())));
  base::Random random(seed);
  const std::int64_t end = now_ns() + std::int64_t{work.lasts_s} * 1'000'000'000;
  std::unique_ptr<Registry> registry;
  std::vector<macs::Mac> mine;
  for (int done = 0; (work.requests == 0 || done < work.requests) && now_ns() < end; ++done) {
    if (!registry) {
      auto opened = open();
      if (!opened) {
        usleep(20'000);
        continue;
      }
      registry = std::move(*opened);
    }
    macs::Request request;
    request.count = 1 + random.below(work.most);
    request.now = 1000;
    request.seed = random.next();
    request.token = sys::random_token();
    if (work.owners) {
      request.owners = {{"m", "vm-" + std::to_string(random.below(50)), "n"}};
      request.count = 1;
    }
    log.ask(request.token);
    const auto grants = registry->allocate(request);
    if (!grants) {
      log.failed(request.token, grants.error());
      registry.reset();
      continue;
    }
    log.got(request.token, *grants);
    for (const macs::Grant& grant : *grants) mine.push_back(grant.mac);
    if (!work.releases || random.below(2) == 0) continue;
    const macs::Mac mac = mine.back();
    mine.pop_back();
    log.releasing(mac);
    if (registry->release(std::vector{mac}, 1000)) log.released(mac);
  }
}

// Processes of their own. Those that are left are killed by pid when this goes.
class Clients {
 public:
  Clients() = default;
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;
  ~Clients() { kill_all(); }

  void start(int count, const Open& open, const std::filesystem::path& logs, const Work& work) {
    for (int i = 0; i < count; ++i) {
      const std::uint64_t seed = sys::random_number();
      const pid_t pid = fork();
      if (pid < 0) throw std::runtime_error("fork");
      if (pid == 0) {
        int code = 0;
        try {
          be_client(open, logs, next_, seed, work);
        } catch (...) {
          code = 1;
        }
        _exit(code);
      }
      pids_.push_back(pid);
      ++next_;
    }
  }

  // Kills one of them, any.
  void kill_one(base::Random& random) {
    if (pids_.empty()) return;
    const std::size_t i = random.below(pids_.size());
    kill(pids_[i], SIGKILL);
    waitpid(pids_[i], nullptr, 0);
    pids_.erase(pids_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  void kill_all() {
    for (const pid_t pid : pids_) kill(pid, SIGKILL);
    for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
    pids_.clear();
  }
  // How many ended badly.
  int wait() {
    int bad = 0;
    for (const pid_t pid : pids_) {
      int status = 0;
      waitpid(pid, &status, 0);
      bad += status != 0 ? 1 : 0;
    }
    pids_.clear();
    return bad;
  }

 private:
  std::vector<pid_t> pids_;
  int next_ = 0;
};

}  // namespace sekimori::macs_tests

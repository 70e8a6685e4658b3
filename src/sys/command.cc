#include "sys/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace sekimori::sys {
namespace {

using Clock = std::chrono::steady_clock;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

int spawn(const std::vector<std::string>& words, int out, bool quiet, pid_t& child) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (quiet) posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const int error = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// Why reading ended before the program did; empty when it ended by itself.
std::string read_until(int fd, Clock::time_point deadline, std::size_t most, std::string& out) {
  std::array<char, 65536> buffer;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return "did not end in time";
    pollfd poll_fd{fd, POLLIN, 0};
    const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::min<long long>(left, 60'000)));
    if (ready < 0 && errno != EINTR) return std::strerror(errno);
    if (ready < 0) return "was interrupted";
    if (ready == 0) continue;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::strerror(errno);
    if (got == 0) return {};
    if (out.size() + static_cast<std::size_t>(got) > most)
      return fmt::format("prints more than {} MiB", most >> 20);
    out.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

base::Result<CommandOutput> run_command(const std::vector<std::string>& words, std::chrono::seconds patience,
                                        std::size_t most, bool quiet) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return base::fail(fmt::format("no pipe for {}: {}", words.front(), std::strerror(errno)));
  Descriptor read_end(ends[0]), write_end(ends[1]);
  pid_t child = 0;
  const int error = spawn(words, write_end.get(), quiet, child);
  write_end.close();
  constexpr int kNoProgram = 127;
  if (error == ENOENT) return CommandOutput{kNoProgram, {}};
  if (error != 0) return base::fail(fmt::format("{} cannot be run: {}", words.front(), std::strerror(error)));

  CommandOutput output;
  const std::string why = read_until(read_end.get(), Clock::now() + patience, most, output.out);
  if (!why.empty()) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!why.empty()) return base::fail(fmt::format("{} {}", fmt::join(words, " "), why));
  output.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

}  // namespace sekimori::sys

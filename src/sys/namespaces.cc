#include "sys/namespaces.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/assert.h"

namespace sekimori::sys {
namespace {

constexpr const char* kFolder = "/run/netns";
constexpr const char* kOwn = "/proc/thread-self/ns/net";

std::string path_of(const std::string& name) { return fmt::format("{}/{}", kFolder, name); }

std::unexpected<base::Error> failed(const std::string& what) {
  return base::fail(fmt::format("{}: {}.", what, std::strerror(errno)));
}

// A shared mount, as `ip netns add` makes it: what is mounted there later is seen by everybody.
base::Result<void> prepare_folder() {
  if (::mkdir(kFolder, 0755) != 0 && errno != EEXIST) return failed(fmt::format("Can't make {}", kFolder));
  bool bound = false;
  while (::mount("", kFolder, "none", MS_SHARED | MS_REC, nullptr) != 0) {
    if (errno != EINVAL || bound) return failed(fmt::format("Can't share {}", kFolder));
    if (::mount(kFolder, kFolder, "none", MS_BIND | MS_REC, nullptr) != 0)
      return failed(fmt::format("Can't mount {}", kFolder));
    bound = true;
  }
  return {};
}

int open_own() { return ::open(kOwn, O_RDONLY | O_CLOEXEC); }

}  // namespace

Namespace::~Namespace() {
  if (fd_ >= 0) ::close(fd_);
}

base::Result<Namespace> Namespace::create_nameless() {
  const int home = open_own();
  if (home < 0) return failed("Can't see the own network namespace");
  if (::unshare(CLONE_NEWNET) != 0) {
    const auto error = failed("Can't make a network namespace");
    ::close(home);
    return error;
  }
  const int made = open_own();
  const bool back = ::setns(home, CLONE_NEWNET) == 0;
  SEKIMORI_ASSERT(back);  // a thread that stays in the wrong namespace must not go on
  ::close(home);
  if (made < 0) return failed("Can't see a new network namespace");
  return Namespace(made);
}

base::Result<void> Namespace::give_name(const std::string& name) const {
  if (auto folder = prepare_folder(); !folder) return folder;
  const std::string path = path_of(name);
  const int file = ::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  if (file < 0) return failed(fmt::format("Can't make the namespace {}", name));
  ::close(file);
  if (::mount(fmt::format("/proc/self/fd/{}", fd_).c_str(), path.c_str(), "none", MS_BIND, nullptr) != 0) {
    const auto error = failed(fmt::format("Can't give the namespace {} its name", name));
    ::unlink(path.c_str());
    return error;
  }
  return {};
}

base::Result<Namespace> Namespace::open(const std::string& name) {
  const int fd = ::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(fmt::format("Can't open the namespace {}", name));
  return Namespace(fd);
}

base::Result<InNamespace> InNamespace::enter(const Namespace& where) {
  const int home = open_own();
  if (home < 0) return failed("Can't see the own network namespace");
  if (::setns(where.fd(), CLONE_NEWNET) != 0) {
    const auto error = failed("Can't enter a network namespace");
    ::close(home);
    return error;
  }
  return InNamespace(home);
}

InNamespace::~InNamespace() {
  if (home_ < 0) return;
  const bool back = ::setns(home_, CLONE_NEWNET) == 0;
  SEKIMORI_ASSERT(back);
  ::close(home_);
}

std::vector<std::string> namespaces_with_prefix(std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder, error)) {
    if (std::string name = entry.path().filename().string(); name.starts_with(prefix))
      names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

bool namespace_exists(const std::string& name) {
  struct stat status;
  return ::lstat(path_of(name).c_str(), &status) == 0;
}

base::Result<void> remove_namespace(const std::string& name) {
  const std::string path = path_of(name);
  ::umount2(path.c_str(), MNT_DETACH);  // fails for what was left half-made, which unlink then removes
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return failed(fmt::format("Can't remove the namespace {}", name));
  return {};
}

base::Result<void> may_make_namespaces() {
  if (auto made = Namespace::create_nameless(); !made) {
    return base::fail(made.error().what +
                      " A lab is built from network namespaces: run it as root (sudo), or with CAP_SYS_ADMIN "
                      "and CAP_NET_ADMIN.");
  }
  return {};
}

base::Result<void> allow_open_files(std::size_t count) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count) return {};
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, count);
  if (limit.rlim_cur < count || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return base::fail(fmt::format("{} files are to be open at once, and {} is the limit (ulimit -Hn).", count,
                                  limit.rlim_max));
  }
  return {};
}

base::Result<void> write_setting(const std::string& name, std::string_view value) {
  const std::string path = "/proc/sys/" + name;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return failed(fmt::format("Can't open {}", path));
  const bool written = ::write(fd, value.data(), value.size()) == static_cast<ssize_t>(value.size());
  const auto error = failed(fmt::format("Can't write \"{}\" to {}", value, path));
  ::close(fd);
  if (!written) return error;
  return {};
}

}  // namespace sekimori::sys

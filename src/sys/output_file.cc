#include "sys/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace sekimori::sys {
namespace {

constexpr std::size_t kBuffer = 262'144;

std::string text_of(int error) { return std::generic_category().message(error); }

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// Where the path leads, through symbolic links; the path itself when there is nothing yet.
std::string resolve(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string resolved(real);
  std::free(real);  // NOLINT: realpath allocates
  return resolved;
}

mode_t default_mode() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

// A name beside the target that nobody else uses.
std::string hidden_name(const std::string& target) {
  static unsigned counter = 0;
  const std::string folder = folder_of(target);
  const std::string name = target.substr(folder == "." ? 0 : folder.size());
  return fmt::format("{}{}.{}.{}.{}.part", folder, folder == "." ? "/" : "", name.substr(0, 200), getpid(),
                     counter++);
}

}  // namespace

base::Result<OutputFile> OutputFile::open(const std::string& path) {
  OutputFile file;
  file.path_ = path;
  if (path == "-") {
    file.fd_ = STDOUT_FILENO;
    file.direct_ = true;
    return file;
  }
  const auto cannot = [&](int error) {
    return base::fail(fmt::format("{}: can't be written: {}.", path, text_of(error)));
  };
  if (path.empty()) return base::fail("The name of the file to write is empty.");
  file.target_ = resolve(path);
  struct stat existing{};
  const bool exists = stat(file.target_.c_str(), &existing) == 0;
  if (!exists && errno != ENOENT) return cannot(errno);
  if (exists && S_ISDIR(existing.st_mode)) return cannot(EISDIR);
  if (exists && access(file.target_.c_str(), W_OK) != 0) return cannot(errno);  // rename() would not ask
  file.owned_ = true;
  if (exists && !S_ISREG(existing.st_mode)) {
    file.direct_ = true;
    file.fd_ = ::open(file.target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (file.fd_ < 0) return cannot(errno);
    return file;
  }
  file.fd_ = ::open(folder_of(file.target_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (file.fd_ < 0) {
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return cannot(errno);
    file.temporary_ = hidden_name(file.target_);
    file.fd_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file.fd_ < 0) {
      file.temporary_.clear();
      return cannot(errno);
    }
  }
  const mode_t mode = exists ? existing.st_mode & 07777 : default_mode();
  if (fchmod(file.fd_, mode) != 0) return cannot(errno);
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)),
      owned_(std::exchange(other.owned_, false)),
      direct_(other.direct_),
      buffer_(std::move(other.buffer_)),
      error_(std::move(other.error_)) {}

OutputFile::~OutputFile() {
  if (owned_ && fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

base::Result<void> OutputFile::failed(std::string_view what, int error) {
  const std::string_view name = path_ == "-" ? "standard output" : std::string_view(path_);
  error_ = fmt::format("{}: {}: {}.", name, what, text_of(error));
  return base::fail(error_);
}

base::Result<void> OutputFile::write(std::string_view bytes) {
  if (!error_.empty()) return base::fail(error_);
  buffer_ += bytes;
  return buffer_.size() < kBuffer ? base::Result<void>() : flush();
}

base::Result<void> OutputFile::write(std::span<const std::byte> bytes) {
  return write(std::string_view(reinterpret_cast<const char*>(bytes.data()),
                                bytes.size()));  // NOLINT: bytes are bytes
}

base::Result<void> OutputFile::flush() {
  if (!error_.empty()) return base::fail(error_);
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("can't be written", errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
  return {};
}

// linkat() can't replace a file, so a nameless one gets a hidden name first.
base::Result<void> OutputFile::give_name() {
  if (temporary_.empty()) {
    const std::string hidden = hidden_name(target_);
    const std::string self = fmt::format("/proc/self/fd/{}", fd_);
    if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, hidden.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return failed("can't be given its name", errno);
    }
    temporary_ = hidden;
  }
  if (rename(temporary_.c_str(), target_.c_str()) != 0) return failed("can't be given its name", errno);
  temporary_.clear();
  return {};
}

base::Result<void> OutputFile::commit() {
  if (auto done = flush(); !done) return done;
  if (!owned_) return {};
  // Some file systems report a full disk only now. EINVAL: a pipe or device that knows no fsync.
  if (!direct_ && fsync(fd_) != 0 && errno != EINVAL) return failed("can't be written", errno);
  if (!direct_) {
    if (auto done = give_name(); !done) return done;
  }
  if (close(std::exchange(fd_, -1)) != 0) return failed("can't be closed", errno);
  return {};
}

base::Result<void> write_stdout(std::string_view text) {
  auto out = OutputFile::open("-");
  if (!out) return std::unexpected(out.error());
  if (auto done = out->write(text); !done) return done;
  return out->commit();
}

}  // namespace sekimori::sys

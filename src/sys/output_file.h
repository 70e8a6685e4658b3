// A file that is either written whole or not at all.
//
// The bytes go to a nameless file (O_TMPFILE) in the folder of the target, or to a hidden one where the file
// system has no such thing. commit() gives it the target's name in one step, so that nobody ever reads half
// of it and a program that is killed leaves what was there before. A target that is no regular file
// (/dev/stdout, a named pipe) is written directly, and "-" is standard output.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sekimori::sys {

class OutputFile {
 public:
  static base::Result<OutputFile> open(const std::string& path);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  // Without commit() nothing of it remains.
  ~OutputFile();

  // Collected and written in large pieces. After an error every further call returns it.
  [[nodiscard]] base::Result<void> write(std::string_view bytes);
  [[nodiscard]] base::Result<void> write(std::span<const std::byte> bytes);
  // Hands over what was collected, for readers at the other end of a pipe.
  [[nodiscard]] base::Result<void> flush();
  // Must be called at the end, once: only then the file is there.
  [[nodiscard]] base::Result<void> commit();

  const std::string& path() const { return path_; }

 private:
  OutputFile() = default;
  base::Result<void> failed(std::string_view what, int error);
  base::Result<void> give_name();

  std::string path_;       // as the user wrote it, for messages
  std::string target_;     // symbolic links followed
  std::string temporary_;  // empty: nameless, or written directly
  int fd_ = -1;
  bool owned_ = false;   // close it
  bool direct_ = false;  // no name to be given at the end
  std::string buffer_;
  std::string error_;
};

// All of it to standard output, or why not.
[[nodiscard]] base::Result<void> write_stdout(std::string_view text);

}  // namespace sekimori::sys

#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/text.h"
#include "report/typeset.h"

namespace sekimori::cli {

report::TextOptions text_options(const OutputArguments& arguments) {
  const sys::Terminal terminal = sys::describe_terminal(STDOUT_FILENO, arguments.colour);
  report::TextOptions options{.width = terminal.width, .colour = terminal.colour, .utf8 = terminal.utf8};
  if (arguments.verbose) options.verbosity = report::Verbosity::kAll;
  if (arguments.quiet) {
    options.verbosity = report::Verbosity::kQuiet;
    options.width = 0;  // one finding, one line, for grep as for people
  }
  return options;
}

void complain(std::string_view message) {
  const bool utf8 = sys::locale_is_utf8(sys::process_environment);
  std::string text = "sekimori: ";
  while (message.ends_with('\n')) message.remove_suffix(1);
  for (const std::string_view line : base::split(message, '\n')) text += report::printable(line, utf8) + "\n";
  std::fputs(text.c_str(), stderr);
}

int complain(const Stop& stop) {
  if (!stop.message.empty()) complain(stop.message);
  return stop.exit;
}

sys::Progress make_progress(const OutputArguments& arguments) {
  const sys::Terminal terminal = sys::describe_terminal(STDERR_FILENO, sys::ColourChoice::kNever);
  return sys::Progress(terminal.is_terminal && !arguments.quiet, terminal.width);
}

Step<sys::OutputFile> Outputs::open(const std::string& path) {
  std::error_code ignored;
  const std::string name = path == "-" ? path : std::filesystem::weakly_canonical(path, ignored).string();
  const auto is_path = [&](const std::string& input) {
    return std::filesystem::equivalent(path, input, ignored);
  };
  if (path != "-" && std::ranges::any_of(inputs_, is_path)) {
    return stop(kBadInput, fmt::format("{}: is an input; it is not overwritten.", path));
  }
  if (std::ranges::find(opened_, name) != opened_.end()) {
    return stop(kBadInput, fmt::format("{}: two outputs can't go to one place.",
                                       path == "-" ? "standard output" : path));
  }
  opened_.push_back(name);
  auto file = sys::OutputFile::open(path);
  if (!file) return stop(kFailed, file.error().what);
  return std::move(*file);
}

bool Outputs::uses_stdout() const { return std::ranges::find(opened_, "-") != opened_.end(); }

Step<void> print(std::string_view text) {
  if (auto done = sys::write_stdout(text); !done) return stop(kFailed, done.error().what);
  return {};
}

Step<void> finish(sys::OutputFile& file, std::string_view text) {
  if (auto done = file.write(text); !done) return stop(kFailed, done.error().what);
  if (auto done = file.commit(); !done) return stop(kFailed, done.error().what);
  return {};
}

}  // namespace sekimori::cli

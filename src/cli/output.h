// Where a verb tells what it has to tell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/exit.h"
#include "report/text.h"
#include "sys/output_file.h"
#include "sys/progress.h"
#include "sys/terminal.h"

namespace sekimori::cli {

// Options that all verbs with a report have.
struct OutputArguments {
  std::string json;  // file for JSON; "-" is stdout, empty is none
  bool quiet = false;
  bool verbose = false;
  sys::ColourChoice colour = sys::ColourChoice::kAuto;
};

// How text is laid out on stdout as it is.
report::TextOptions text_options(const OutputArguments& arguments);

// To stderr, "sekimori: " before it. What a stranger may have written in it is escaped.
void complain(std::string_view message);
int complain(const Stop& stop);  // returns its exit code

// The progress line on stderr, silent when quiet or when nobody looks.
sys::Progress make_progress(const OutputArguments& arguments);

// Opens the files that a verb writes. All are opened before the work begins, so that a mistyped path costs
// nothing, and none may be an input or be written twice.
class Outputs {
 public:
  explicit Outputs(std::string input) : inputs_{std::move(input)} {}
  Step<sys::OutputFile> open(const std::string& path);
  void protect(const std::string& path) { inputs_.push_back(path); }  // a further input
  bool uses_stdout() const;

 private:
  std::vector<std::string> inputs_;
  std::vector<std::string> opened_;
};

Step<void> print(std::string_view text);
Step<void> finish(sys::OutputFile& file, std::string_view text);  // writes it and gives the file its name

}  // namespace sekimori::cli

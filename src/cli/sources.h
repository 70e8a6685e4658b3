// Where exports come from: files, folders of them, standard input, this machine, another one by ssh.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/exit.h"
#include "importers/sources.h"
#include "model/model.h"

namespace sekimori::cli {

// "host:local", "ssh:NAME": asked by running the commands that print the exports.
bool is_live(std::string_view source);

Step<std::vector<importers::SourceText>> gather(const std::vector<std::string>& sources);

struct Imported {
  std::string site;                   // the text of a site file
  std::vector<std::string> left_out;  // "file:line: why"
  std::size_t left_out_more = 0;
};

// All sources as one site. An error when they hold nothing that can be imported.
Step<Imported> import_all(const std::vector<std::string>& sources, std::string_view format);

}  // namespace sekimori::cli

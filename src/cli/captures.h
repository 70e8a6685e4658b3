// Captures of a run: the frames that pass chosen ports, as pcapng files that Wireshark opens.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/output.h"
#include "model/model.h"
#include "simulate/run.h"
#include "wire/pcapng_writer.h"

namespace sekimori::cli {

class Captures {
 public:
  // Each of `wanted` is PORT=FILE; ports of one file become its interfaces, named as the ports.
  static Step<Captures> open(const model::Model& model, std::span<const std::string> wanted,
                             Outputs& outputs);

  // Lets the run deliver the frames of these ports here. This object must outlive the run, and stay where it
  // is.
  void attach(simulate::Options& options);

  // Gives the files their names.
  Step<void> commit();

 private:
  struct File {
    explicit File(sys::OutputFile f);
    sys::OutputFile file;
    wire::PcapngWriter writer;
  };
  struct Tap {
    model::PortId port;
    File* file;
    std::uint32_t interface;
  };

  std::vector<std::unique_ptr<File>> files_;
  std::vector<Tap> taps_;
};

// The port that name_of() calls so; an error names the nearest.
Step<model::PortId> find_port(const model::Model& model, std::string_view name, std::string_view option);

}  // namespace sekimori::cli

#include "cli/captures.h"

#include <fmt/format.h>

#include "base/text.h"

namespace sekimori::cli {

Step<model::PortId> find_port(const model::Model& model, std::string_view name, std::string_view option) {
  std::vector<std::string> names;
  names.reserve(model.ports.size());
  for (std::size_t i = 0; i < model.ports.size(); ++i) {
    names.push_back(model::name_of(model, model::PortId(i)));
    if (names.back() == name) return model::PortId(i);
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string_view nearest = base::nearest_word(name, known);
  const std::string hint = !nearest.empty() ? fmt::format("did you mean {}?", nearest)
                           : names.empty()  ? std::string("the site has no ports.")
                                            : fmt::format("its ports are {}.", base::list_words(names, 12));
  return stop(kBadInput, fmt::format("{}: the site has no port \"{}\": {}", option, name, hint));
}

Captures::File::File(sys::OutputFile f)
    : file(std::move(f)), writer([this](wire::Bytes bytes) { return file.write(std::as_bytes(bytes)); }) {}

Step<Captures> Captures::open(const model::Model& model, std::span<const std::string> wanted,
                              Outputs& outputs) {
  Captures captures;
  std::vector<std::string> paths;
  for (const std::string& text : wanted) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      return stop(kBadInput,
                  fmt::format("--capture {}: write PORT=FILE, for example sw1:24=out.pcapng.", text));
    }
    const auto port = find_port(model, std::string_view(text).substr(0, equals), "--capture");
    if (!port) return std::unexpected(port.error());
    const std::string path = text.substr(equals + 1);
    std::size_t at = 0;
    while (at < paths.size() && paths[at] != path) ++at;
    if (at == paths.size()) {
      auto file = outputs.open(path);
      if (!file) return std::unexpected(file.error());
      paths.push_back(path);
      captures.files_.push_back(std::make_unique<File>(std::move(*file)));
    }
    File* file = captures.files_[at].get();
    const std::string name = model::name_of(model, *port);
    captures.taps_.push_back({*port, file, file->writer.add_interface({.name = name})});
  }
  return captures;
}

void Captures::attach(simulate::Options& options) {
  for (const Tap& tap : taps_) options.captures.push_back(tap.port);
  if (taps_.empty()) return;
  options.on_frame = [this](const simulate::CapturedFrame& frame) {
    const Tap& tap = taps_[frame.capture];
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.bytes.data());  // NOLINT: bytes are bytes
    return tap.file->writer.write({
        .interface = tap.interface,
        .timestamp_ns = std::chrono::floor<std::chrono::nanoseconds>(frame.at).count(),
        .bytes = {bytes, frame.bytes.size()},
        .direction = frame.inbound ? wire::Direction::inbound : wire::Direction::outbound,
    });
  };
}

Step<void> Captures::commit() {
  for (const auto& file : files_) {
    if (auto done = file->writer.flush(); !done) return stop(kFailed, done.error().what);
    if (auto done = file->file.commit(); !done) return stop(kFailed, done.error().what);
  }
  return {};
}

}  // namespace sekimori::cli

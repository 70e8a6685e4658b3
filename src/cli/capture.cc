#include "cli/capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "cli/captures.h"
#include "cli/output.h"
#include "cli/site.h"
#include "findings/identity.h"
#include "report/typeset.h"
#include "watch/diagnose.h"
#include "wire/capture_reader.h"
#include "wire/pcapng_writer.h"

namespace sekimori::cli {
namespace {

constexpr std::size_t kMagic = 4;
constexpr std::string_view kExtensions[] = {".pcap", ".pcapng", ".cap", ".gz", ".zst"};

// pcap in both byte orders and clocks, pcapng, and what captures come packed in.
bool is_magic(std::string_view head) {
  using namespace std::string_view_literals;
  static constexpr std::string_view kMagics[] = {
      "\xa1\xb2\xc3\xd4"sv, "\xd4\xc3\xb2\xa1"sv, "\xa1\xb2\x3c\x4d"sv, "\x4d\x3c\xb2\xa1"sv,
      "\x0a\x0d\x0d\x0a"sv, "\x1f\x8b"sv,         "\x28\xb5\x2f\xfd"sv};
  for (const std::string_view magic : kMagics) {
    if (head.starts_with(magic)) return true;
  }
  return false;
}

std::string head_of(std::FILE* file) {
  std::array<char, kMagic> head{};
  return {head.data(), std::fread(head.data(), 1, head.size(), file)};
}

// What was read is put back, which the C library does within its buffer for as much as was just read.
std::string peek_stdin() {
  std::string head = head_of(stdin);
  std::clearerr(stdin);
  for (auto c = head.rbegin(); c != head.rend(); ++c) std::ungetc(static_cast<unsigned char>(*c), stdin);
  return head;
}

Step<wire::CaptureReader> open(const std::string& what) {
  auto reader =
      what == "-" ? wire::CaptureReader::open(wire::stream_source(stdin, "standard input"), "standard input")
                  : wire::CaptureReader::open_file(what);
  if (!reader) return stop(kBadInput, reader.error().what);
  return std::move(*reader);
}

Step<void> write_evidence(const DiagnoseArguments& arguments, const findings::Report& report,
                          sys::OutputFile& file) {
  auto reader = open(arguments.what);
  if (!reader) return std::unexpected(reader.error());
  const auto sink = [&file](wire::Bytes bytes) { return file.write(std::as_bytes(bytes)); };
  if (auto done = watch::write_evidence(*reader, report, sink); !done)
    return stop(kFailed, done.error().what);
  if (auto done = file.commit(); !done) return stop(kFailed, done.error().what);
  return {};
}

}  // namespace

bool is_capture(std::string_view what) {
  if (what == "-") return is_magic(peek_stdin());
  const std::filesystem::path path(what);
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return false;
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (file && is_magic(head_of(file.get()))) return true;
  return std::ranges::find(kExtensions, path.extension().string()) != std::end(kExtensions);
}

Step<Viewpoint> viewpoint(const DiagnoseArguments& arguments) {
  Viewpoint view;
  if (!arguments.site.empty()) {
    auto model = load_site(arguments.site, arguments.seed);
    if (!model) return std::unexpected(model.error());
    view.site = std::make_unique<model::Model>(std::move(*model));
    view.options.site.model = view.site.get();
  }
  if (arguments.at.empty()) return view;
  view.options.at = watch::place_of(arguments.at);
  if (view.options.at) return view;
  if (!view.site)
    return stop(kBadInput,
                fmt::format("--at: {} is none of access, guest, uplink, mirror and tap, nor, without --site, "
                            "a port.",
                            report::printable(arguments.at, false)));
  const auto port = find_port(*view.site, arguments.at, "--at");
  if (!port) return std::unexpected(port.error());
  view.options.site.port = *port;
  return view;
}

Step<findings::Report> diagnose_capture(const DiagnoseArguments& arguments, sys::Progress& progress) {
  // What can't be done is told before a long reading.
  std::optional<sys::OutputFile> evidence;
  if (!arguments.evidence.empty()) {
    if (arguments.evidence == "-" || arguments.evidence == arguments.report.output.json)
      return stop(kBadInput, "--evidence: the frames need a file of their own, apart from the report.");
    if (arguments.what == "-")
      return stop(kBadInput,
                  "--evidence reads the capture a second time, which standard input does not allow: save it "
                  "to a file.");
    if (arguments.evidence == arguments.site)
      return stop(kBadInput, "--evidence: that is the file of --site, which would be lost.");
    Outputs outputs(arguments.what);
    auto file = outputs.open(arguments.evidence);
    if (!file) return std::unexpected(file.error());
    evidence.emplace(std::move(*file));
  }
  auto reader = open(arguments.what);
  if (!reader) return std::unexpected(reader.error());

  auto view = viewpoint(arguments);
  if (!view) return std::unexpected(view.error());
  watch::Options& options = view->options;
  options.threads = arguments.threads > 0 ? arguments.threads : std::thread::hardware_concurrency();
  progress.begin();
  options.progress = [&](std::uint64_t frames) {
    progress.update(fmt::format("reading: {} M frames", frames / 1'000'000), 0);
    return !sys::interrupted();
  };
  findings::Report report = watch::diagnose(*reader, options);
  findings::identify(view->site ? *view->site : model::Model{}, report.findings);
  if (evidence) {
    if (auto done = write_evidence(arguments, report, *evidence); !done) return std::unexpected(done.error());
  }
  return report;
}

}  // namespace sekimori::cli

#include "cli/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <tuple>

#include "importers/draft.h"
#include "sys/command.h"

namespace sekimori::cli {
namespace {

using importers::SourceText;
namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 100'000;
constexpr int kDeepest = 8;
constexpr std::string_view kLocal = "host:local", kSsh = "ssh:";

// ---------------------------------------------------------------- files

Step<std::string> read_stream(std::istream& in, const std::string& name) {
  std::string text;
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  while (in && text.size() <= importers::kMostSourceBytes) {
    const std::size_t before = text.size();
    text.resize(before + kChunk);
    in.read(text.data() + before, kChunk);
    text.resize(before + static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) return stop(kBadInput, fmt::format("{}: cannot be read: {}", name, std::strerror(errno)));
  return text;
}

Step<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return stop(kBadInput, fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  return read_stream(in, path);
}

// In the order of the names, so that equal folders give equal sites.
Step<void> gather_folder(const std::string& folder, std::vector<SourceText>& texts) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
    const bool is_hidden = at->path().filename().string().starts_with('.');
    std::error_code ignored;
    if (at->is_directory(ignored) && (is_hidden || at.depth() >= kDeepest)) at.disable_recursion_pending();
    if (!is_hidden && at->is_regular_file(ignored)) paths.push_back(at->path().string());
    if (paths.size() > kMostFiles)
      return stop(kBadInput,
                  fmt::format("{}: more than {} files; name the folders of exports", folder, kMostFiles));
  }
  if (error) return stop(kBadInput, fmt::format("{}: cannot be read: {}", folder, error.message()));
  std::ranges::sort(paths);
  for (const std::string& path : paths) {
    auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    texts.push_back({path, std::move(*text), false});
  }
  return {};
}

// ---------------------------------------------------------------- machines that run

struct Command {
  std::string_view file;  // what its output is called
  std::string_view words;
};

// All of them only read. A further one is a further line.
constexpr Command kCommands[] = {
    {"link.json", "ip -s -d -j link show"},         {"addr.json", "ip -d -j addr show"},
    {"neigh.json", "ip -4 -j neigh show"},          {"route.json", "ip -4 -j route show"},
    {"bridge-link.json", "bridge -d -j link show"}, {"fdb.json", "bridge -d -j fdb show"},
    {"vlan.json", "bridge -j vlan show"},
};
constexpr std::chrono::seconds kPatience{30};

std::vector<std::string> words_of(std::string_view command) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < command.size();) {
    const std::size_t end = std::min(command.find(' ', at), command.size());
    if (end > at) words.emplace_back(command.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

class Live {
 public:
  Live(std::string destination, std::vector<SourceText>& texts)
      : destination_(std::move(destination)), texts_(texts) {}

  Step<void> gather() {
    if (auto done = ask_name(); !done) return done;
    for (const Command& command : kCommands) {
      auto output = run(command.words);
      if (!output) return std::unexpected(output.error());
      // A kernel without VLAN filtering, a machine without bridge(8): the rest still tells.
      if (output->exit == 0)
        texts_.push_back({fmt::format("{}/{}", folder_, command.file), std::move(output->out), false});
    }
    if (texts_.empty())
      return stop(kBadInput, fmt::format("{}: ip(8) of iproute2 cannot be run there", folder_));
    return gather_libvirt();
  }

 private:
  bool is_local() const { return destination_.empty(); }

  Step<sys::CommandOutput> run(std::string_view command) {
    std::vector<std::string> words = words_of(command);
    if (!is_local())
      words = {"ssh", "-o",         "BatchMode=yes",     "-o", "ConnectTimeout=10",
               "--",  destination_, std::string(command)};
    auto output = sys::run_command(words, kPatience, importers::kMostSourceBytes, is_local());
    if (!output) return stop(kBadInput, output.error().what);
    constexpr int kSshFailed = 255;
    if (!is_local() && (output->exit == kSshFailed || output->exit == 127) && texts_.empty() &&
        folder_.empty())
      return stop(kBadInput,
                  fmt::format("ssh:{}: cannot be reached by ssh (without a password)", destination_));
    return std::move(*output);
  }

  Step<void> ask_name() {
    if (is_local()) {
      folder_ = fmt::format("{}/{}", kLocal, sys::host_name());
      return {};
    }
    auto output = run("uname -n");
    if (!output) return std::unexpected(output.error());
    std::string name = output->out.substr(0, output->out.find('\n'));
    folder_ = fmt::format("{}{}/{}", kSsh, destination_, name.empty() ? "host" : name);
    return {};
  }

  Step<void> gather_libvirt() {
    for (const auto& [list, dump, folder] :
         {std::tuple("virsh -q -r list --all --uuid", "virsh -q -r dumpxml ", "libvirt"),
          std::tuple("virsh -q -r net-list --all --name", "virsh -q -r net-dumpxml ", "networks")}) {
      auto names = run(list);
      if (!names) return std::unexpected(names.error());
      if (names->exit != 0) return {};
      for (std::size_t at = 0; at < names->out.size();) {
        const std::size_t end = std::min(names->out.find('\n', at), names->out.size());
        std::string name = names->out.substr(at, end - at);
        at = end + 1;
        name.erase(name.find_last_not_of(" \r\t") + 1);
        // Words for another machine's shell are letters, digits and a few more, or are not sent.
        constexpr std::string_view kSafe =
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
        if (name.empty() || name.front() == '-' || name.find_first_not_of(kSafe) != std::string::npos)
          continue;
        auto xml = run(dump + name);
        if (!xml) return std::unexpected(xml.error());
        if (xml->exit == 0)
          texts_.push_back({fmt::format("{}/{}/{}.xml", folder_, folder, name), std::move(xml->out), false});
      }
    }
    return {};
  }

  std::string destination_, folder_;
  std::vector<SourceText>& texts_;
};

Step<void> gather_live(const std::string& source, std::vector<SourceText>& texts) {
  const std::string destination = source.starts_with(kSsh) ? source.substr(kSsh.size()) : std::string();
  if (source != kLocal && (destination.empty() || destination.starts_with('-')))
    return stop(kBadInput, fmt::format("{}: a machine is host:local or ssh:NAME", source));
  std::vector<SourceText> own;
  if (auto done = Live(destination, own).gather(); !done) return done;
  std::ranges::move(own, std::back_inserter(texts));
  return {};
}

}  // namespace

bool is_live(std::string_view source) { return source.starts_with("host:") || source.starts_with(kSsh); }

Step<std::vector<SourceText>> gather(const std::vector<std::string>& sources) {
  std::vector<SourceText> texts;
  for (const std::string& source : sources) {
    std::error_code error;
    if (source == "-") {
      auto text = read_stream(std::cin, "standard input");
      if (!text) return std::unexpected(text.error());
      texts.push_back({"(standard input)", std::move(*text), true});
    } else if (is_live(source)) {
      if (auto done = gather_live(source, texts); !done) return std::unexpected(done.error());
    } else if (fs::is_directory(source, error)) {
      std::string folder = source;
      while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
      if (auto done = gather_folder(folder, texts); !done) return std::unexpected(done.error());
    } else {
      if (!fs::exists(source, error))
        return stop(kBadInput, fmt::format("{}: there is no such file or folder", source));
      auto text = read_file(source);
      if (!text) return std::unexpected(text.error());
      texts.push_back({source, std::move(*text), true});
    }
  }
  return texts;
}

Step<Imported> import_all(const std::vector<std::string>& sources, std::string_view format) {
  const auto texts = gather(sources);
  if (!texts) return std::unexpected(texts.error());
  importers::Facts facts = importers::read_sources(*texts, format);
  importers::Draft draft = importers::merge(facts);
  Imported imported;
  for (const importers::Omission& omission : facts.left_out)
    imported.left_out.push_back(fmt::format("{}: {}", facts.text(omission.place), omission.what));
  imported.left_out_more = facts.left_out_more;
  if (draft.machines.empty() && draft.gear.empty()) {
    std::string what = fmt::format("{}: nothing that can be imported", fmt::join(sources, ", "));
    if (texts->empty()) what += ": there are no files";
    constexpr std::size_t kShown = 10;
    for (std::size_t i = 0; i < std::min(kShown, imported.left_out.size()); ++i)
      what += "\n  " + imported.left_out[i];
    return stop(kBadInput, what);
  }
  draft.title = fmt::format("Imported from {}", fmt::join(sources, ", "));
  imported.site = importers::write_site(draft);
  return imported;
}

}  // namespace sekimori::cli

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "cli/mac.h"
#include "macs/etcd_registry.h"
#include "macs/serve.h"
#include "sys/signals.h"

namespace sekimori::cli {
namespace {

constexpr std::size_t kLeastToken = 16, kMostToken = 4096;  // bytes

// The first line of the file.
Step<std::string> read_token(const std::string& path) {
  if (path.empty()) return "";
  std::ifstream file(path);
  std::string line(kMostToken + 1, '\0');
  file.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad() || (line.empty() && !std::filesystem::is_regular_file(path)))
    return stop(kBadInput, fmt::format("{}: the token can't be read.", path));
  const std::string_view token = base::trim(std::string_view(line).substr(0, line.find('\n')));
  const bool is_printable = std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7f; });
  if (token.size() < kLeastToken || token.size() > kMostToken || !is_printable)
    return stop(kBadInput, fmt::format("{}: a token is {} to {} printable ASCII characters without spaces; "
                                       "\"openssl rand -hex 32\" makes one.",
                                       path, kLeastToken, kMostToken));
  return std::string(token);
}

Step<int> serve(const MacServeArguments& a) {
  const auto listen = sys::parse_tcp_address(a.listen);
  if (!listen) return stop(kBadInput, "--listen: " + listen.error().what);
  auto token = read_token(a.token_file);
  if (!token) return std::unexpected(token.error());
  macs::ServeOptions options{.registry = a.registry,
                             .open = [where = a.registry] { return macs::open_registry(where); },
                             .listen = *listen,
                             .token = std::move(*token),
                             .now = unix_time};
  sys::catch_interrupts();
  auto service = macs::MacService::begin(std::move(options));
  if (!service) return std::unexpected(stop_of(service.error()));
  if (auto told = print(fmt::format("http://{}\n", sys::to_text((*service)->address()))); !told)
    return std::unexpected(told.error());
  (*service)->run(sys::interrupted);
  sys::end_interrupt();  // Ctrl-C is how it ends
  return kClean;
}

}  // namespace

int mac_serve(const MacServeArguments& arguments) {
  const auto exit = serve(arguments);
  return exit ? *exit : complain(exit.error());
}

}  // namespace sekimori::cli

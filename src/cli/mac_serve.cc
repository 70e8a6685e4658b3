#include <fmt/format.h>

#include "cli/mac.h"
#include "macs/etcd_registry.h"
#include "macs/serve.h"
#include "sys/signals.h"

namespace sekimori::cli {
namespace {

constexpr std::size_t kLeastToken = 16;  // bytes

Step<int> serve(const MacServeArguments& a) {
  const auto listen = sys::parse_tcp_address(a.listen);
  if (!listen) return stop(kBadInput, "--listen: " + listen.error().what);
  std::string token;
  if (!a.token_file.empty()) {
    auto read = read_secret(a.token_file, kLeastToken, "a token");
    if (!read) return std::unexpected(read.error());
    token = std::move(*read);
  }
  const auto access = access_of(a.registry);
  if (!access) return std::unexpected(access.error());
  const macs::ServeOptions options{
      .registry = a.registry.where,
      .open = [where = a.registry.where, access = *access] { return macs::open_registry(where, access); },
      .listen = *listen,
      .token = std::move(token),
      .now = unix_time};
  sys::catch_interrupts();
  auto service = macs::MacService::begin(options);
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

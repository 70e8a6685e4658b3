#include "lab/keeper.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <filesystem>

namespace sekimori::lab {

namespace fs = std::filesystem;
using base::Result;

Result<void> remove_folder(const std::string& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) return base::fail(fmt::format("Can't remove {}: {}.", folder, error.message()));
  return {};
}

Keeper::~Keeper() {
  if (has_folder_) [[maybe_unused]]
    const auto gone = remove_folder(folder_);
}

Result<void> Keeper::begin() {
  auto space = sys::Namespace::open(space_);
  if (!space) return std::unexpected(space.error());
  auto inside = sys::InNamespace::enter(*space);
  if (!inside) return std::unexpected(inside.error());
  inside_.emplace(std::move(*inside));
  auto service = sys::ServiceSocket::listen(service_name_);
  if (!service) return std::unexpected(service.error());
  service_.emplace(std::move(*service));
  auto poller = sys::Poller::make();
  if (!poller) return std::unexpected(poller.error());
  poller_.emplace(std::move(*poller));
  if (auto added = poller_->add(service_->fd(), 0); !added) return added;
  if (auto gone = remove_folder(folder_); !gone) return gone;
  std::error_code error;
  fs::create_directory(folder_, error);
  if (!error) fs::permissions(folder_, fs::perms::owner_all, error);
  if (error) return base::fail(fmt::format("Can't make {}: {}.", folder_, error.message()));
  has_folder_ = true;
  return {};
}

void Keeper::serve(const std::function<std::string()>& answer) {
  for (bool go_on = true; go_on;) {
    poller_->wait(std::chrono::seconds(1), [&](std::uint32_t) {
      go_on = service_->serve([&](std::string_view) { return answer(); });
    });
    go_on = go_on && sys::namespace_exists(space_);
  }
}

}  // namespace sekimori::lab

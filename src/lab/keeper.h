// A process of the lab that keeps programs: Open vSwitch's daemons, or the machines of guests. It stands in a
// namespace of the lab, where it is found by a socket with an abstract name; what its programs need lies in a
// folder of its own. It ends when it is asked to, or when its namespace is gone, and its programs with it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "sys/namespaces.h"
#include "sys/service.h"

namespace sekimori::lab {

// Nothing is there already: that is as well.
base::Result<void> remove_folder(const std::string& folder);

class Keeper {
 public:
  Keeper(std::string space, std::string_view service, std::string folder)
      : space_(std::move(space)), service_name_(service), folder_(std::move(folder)) {}
  Keeper(const Keeper&) = delete;
  ~Keeper();  // removes the folder, so the programs must have ended

  // Enters the namespace, listens, and makes the folder, for its owner only.
  base::Result<void> begin();
  // Until it is to end; `answer` tells what is asked: which programs have ended.
  void serve(const std::function<std::string()>& answer);

 private:
  std::string space_, service_name_, folder_;
  bool has_folder_ = false;
  std::optional<sys::InNamespace> inside_;
  std::optional<sys::ServiceSocket> service_;
  std::optional<sys::Poller> poller_;
};

}  // namespace sekimori::lab

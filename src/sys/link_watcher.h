// Tells that something about the links of a namespace has changed (RTNLGRP_LINK); what it is, Links::list()
// says. Several changes may be told as one, and none is lost.
#pragma once

#include <utility>

#include "base/result.h"
#include "sys/namespaces.h"

namespace sekimori::sys {

class LinkWatcher {
 public:
  static base::Result<LinkWatcher> open(const Namespace& where);
  LinkWatcher(LinkWatcher&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  LinkWatcher& operator=(LinkWatcher&&) = delete;
  ~LinkWatcher();

  int fd() const { return fd_; }  // can be read when there was a change
  void take();                    // all changes so far

 private:
  explicit LinkWatcher(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace sekimori::sys

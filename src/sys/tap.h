// Tap devices (Documentation/networking/tuntap.rst): what leaves by the network device can be read from a
// file descriptor, and what is written there comes in by the device. Frames are whole and as on a wire: no
// header before them, so nothing of checksums and segmentation is left to whoever holds the descriptor.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"
#include "wire/mac.h"

namespace sekimori::sys {

class Tap {
 public:
  // Makes a device in the thread's namespace, which stays when nobody holds it; it has no carrier then.
  static base::Result<void> create(const std::string& name, wire::Mac mac);
  // Takes hold of one that is there.
  static base::Result<Tap> open(const std::string& name);

  Tap(Tap&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Tap& operator=(Tap&&) = delete;
  ~Tap();
  int fd() const { return fd_; }

 private:
  explicit Tap(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace sekimori::sys

// A guest is about to start: has somebody else its MACs?
//
// libvirt calls /etc/libvirt/hooks/qemu with the guest's name, "prepare", "begin" and "-" before it starts
// one, and with the domain's XML on standard input; an exit code other than 0 refuses the start
// (https://libvirt.org/hooks.html). A hook must not call back into libvirt, and does not need to: the
// registry knows who has which address.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "macs/registry.h"

namespace sekimori::macs {

struct Domain {
  std::string name, uuid;
  std::vector<Mac> macs;  // of <interface>, in order
};

constexpr std::size_t kMostDomainBytes = 4 << 20;

// The XML that libvirt writes. Entities other than XML's own are not expanded.
base::Result<Domain> read_domain(std::string_view xml);

// Why it must not start, a sentence each; empty: it may. A registered address is the guest's own when its
// owner's machine is the domain's UUID or its name.
Outcome<std::vector<std::string>> objections(const Domain& domain, Registry& registry);

}  // namespace sekimori::macs

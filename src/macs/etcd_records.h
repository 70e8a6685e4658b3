// What the keys of a registry in etcd are called, and what they hold (etcd_registry.h): entries and pools as
// JSON. Whatever else is found there is told as damage.
#pragma once

#include <string>

#include "macs/etcd.h"
#include "macs/registry.h"

namespace sekimori::macs {

std::string to_value(const Entry& e);
Outcome<Entry> to_entry(const EtcdKey& key);
std::string to_value(const Pool& pool);
Outcome<Pool> to_pool(const EtcdKey& key);

// A machine may be called "namespace/vm"; its key must not be that of another.
std::string escaped(const std::string& name);
// The end of the range of keys that begin with it.
std::string after(std::string prefix);

}  // namespace sekimori::macs

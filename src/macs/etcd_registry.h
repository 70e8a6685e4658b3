// A registry in an etcd cluster: for a fleet.
//
//   PREFIX/version                    "1"
//   PREFIX/pools                      changes with every change of pools: they are made one by one
//   PREFIX/pool/NAME                  a pool, as JSON
//   PREFIX/next/NAME                  where a sequence goes on: a hint, no promise
//   PREFIX/mac/02:ab:00:00:00:07      an entry, as JSON
//   PREFIX/owner/MANAGER/MACHINE/NIC  the address of an owner
//   PREFIX/request/KEY                what a request with an idempotency key was granted (once.h)
//
// An allocation is a transaction: if none of these keys exists, write them all, which etcd carries out once
// or not at all, on a majority of its members, on disk. Entries that end (leases, quarantines) hang on a
// lease of etcd, which removes them when it is over; one whose time has come may be overwritten before, if it
// is still as it was read.
//
// When the answer of a transaction is lost it is sent again. The second finds either what the first wrote,
// known by its token, and that is an answer as good; or nothing, and does it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "macs/etcd.h"
#include "macs/registry.h"

namespace sekimori::macs {

Outcome<std::unique_ptr<Registry>> open_etcd_registry(std::string_view url, const EtcdAccess& access = {},
                                                      std::int64_t patience_ms = 20'000);
Outcome<std::unique_ptr<Registry>> create_etcd_registry(std::string_view url, const EtcdAccess& access = {});

// A file, etcd://... or etcds://..., by what it begins with.
bool is_etcd(std::string_view where);
Outcome<std::unique_ptr<Registry>> open_registry(const std::string& where, const EtcdAccess& access = {});
Outcome<std::unique_ptr<Registry>> create_registry(const std::string& where, const EtcdAccess& access = {});

}  // namespace sekimori::macs

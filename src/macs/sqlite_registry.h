// A registry in one file (SQLite): for all processes of one machine, on a local file system.
//
// sqlite_file.h tells what is asked of the file before SQLite sees it. Small files are checked through and
// through at each start.
//
//   pool  name, first, last, policy, quarantine, next   one row a pool; `next` is where a sequence goes on
//   mac   mac, state, pool, owner, note, token, since, until, free_at
//
// The address is the row's key, so a second record of one address cannot exist; a partial unique index does
// the same for owners. A row counts until free_at; allocation overwrites it from then on. Every change is one
// transaction (BEGIN IMMEDIATE) in write-ahead mode with synchronous=FULL: it is on disk before the answer.
#pragma once

#include <memory>
#include <string>

#include "macs/registry.h"

namespace sekimori::macs {

// The file must be there.
Outcome<std::unique_ptr<Registry>> open_sqlite_registry(const std::string& path);

// Makes the file if there is none; two that do so at once get the same one. Opens it then.
Outcome<std::unique_ptr<Registry>> create_sqlite_registry(const std::string& path);

}  // namespace sekimori::macs

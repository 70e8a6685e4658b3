// The file of a registry before SQLite sees it, and its making.
//
// The file names itself: its application_id is "skmr" and its user_version the version of the layout
// (https://www.sqlite.org/fileformat2.html, offsets 68 and 60). Both are read from the header first, so that
// a file that is something else, of another version, or cut short is never written to: SQLite would begin by
// playing back a journal.
#pragma once

#include <string>

#include "macs/registry.h"

namespace sekimori::macs {

constexpr int kSqliteLayout = 1;

Outcome<void> check_sqlite_file(const std::string& path);

// Written under another name and linked to its own, so it is never there by half, and the first of two wins.
Outcome<void> create_sqlite_file(const std::string& path);

}  // namespace sekimori::macs

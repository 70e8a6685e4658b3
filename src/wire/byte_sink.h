// Where written bytes go: a string, a C stream, or whatever the caller writes. A sink takes all of the bytes
// or says why not, so that a full disk is an error and not a short file.
#pragma once

#include <cstdio>
#include <functional>
#include <string>

#include "base/result.h"
#include "wire/bytes.h"

namespace sekimori::wire {

using ByteSink = std::function<base::Result<void>(Bytes)>;

// Both only refer to what they write to. `name` is for the error.
ByteSink string_sink(std::string& out);
ByteSink stream_sink(std::FILE* stream, std::string name);

}  // namespace sekimori::wire

// Where captures come from: memory, a C stream, or whatever the caller reads; gzip and zstd are told by their
// magic numbers and taken off.
//
// A source fills the start of the span it is given and says how many bytes that were: at least one, unless
// all is read (0). Fewer than asked for are welcome, so a live pipe needs not wait for a full block.
#pragma once

#include <cstdio>
#include <functional>
#include <span>
#include <string>

#include "base/result.h"
#include "wire/bytes.h"

namespace sekimori::wire {

using ByteSource = std::move_only_function<base::Result<std::size_t>(std::span<std::uint8_t>)>;

// Both only refer to what they read from. `name` is for the errors.
ByteSource memory_source(Bytes bytes);
ByteSource stream_source(std::FILE* stream, std::string name);
// Opens, and closes with the source's end of life.
base::Result<ByteSource> file_source(const std::string& path);

// `raw` without its compression, if it has one. Fails where the first bytes cannot be read.
base::Result<ByteSource> decompressed(ByteSource raw, std::string name);

}  // namespace sekimori::wire

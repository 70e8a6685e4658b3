// Random numbers from the kernel, for what must not repeat between two machines: seeds and tokens.
#pragma once

#include <cstdint>
#include <string>

namespace sekimori::sys {

std::uint64_t random_number();
std::string random_token();  // 128 bits as 32 hexadecimal digits

}  // namespace sekimori::sys

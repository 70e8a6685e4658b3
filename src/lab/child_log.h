// What a program that failed said last.
#pragma once

#include <string>

namespace sekimori::lab {

// The last line of its log; or that it said nothing, and why it may not have been able to.
std::string last_words(const std::string& log);

}  // namespace sekimori::lab

// CSV as RFC 4180 has it: quoted fields may hold separators, line ends and doubled quotes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sekimori::importers {

// Takes the next record off the text, and says how many lines it had. False: a quote is not closed before the
// end.
bool next_record(std::string_view& rest, char separator, std::vector<std::string>& fields,
                 std::uint32_t& lines);

// Takes comments (`#TYPE ...` of Export-Csv) and empty lines before the head off, and says how many.
std::uint32_t skip_to_head(std::string_view& rest);

}  // namespace sekimori::importers

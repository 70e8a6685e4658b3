// Exports that are tables: CSV with a head, or a list of objects in JSON. A row is its values by the name of
// the column, in lower case and without blanks: "Mac Address", "MacAddress" and "mac_address" are one.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "importers/formats.h"
#include "importers/nic_rows.h"

namespace sekimori::importers {

using Columns = std::map<std::string, std::string, std::less<>>;
using Names = std::span<const std::string_view>;

// The first of the columns that has a value.
std::string field(const Columns& fields, Names names);
bool has_column(const Columns& fields, Names names);

// The columns of a table, without values. Empty: it is none.
Columns columns_of(std::string_view csv);
Columns columns_of(Data json);

// In the order of the text. A row of another width than the head is left out and told.
void for_each_row(const Source& source, Data json, Facts& facts,
                  const std::function<void(const Columns&, std::uint32_t line)>& read);

// "True", "Yes", "Accept" and their opposites.
std::optional<bool> yes_or_no(std::string_view text);

}  // namespace sekimori::importers

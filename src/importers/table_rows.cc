#include "importers/table_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "importers/csv.h"

namespace sekimori::importers {
namespace {

struct Header {
  std::vector<std::string> names;
  char separator = ',';
  std::uint32_t line = 1;  // of the first row
  std::string_view rest;
};

Header header_of(std::string_view text) {
  Header header;
  header.line += skip_to_head(text);
  const std::string_view line = text.substr(0, text.find('\n'));
  const auto count = [&](char c) { return std::ranges::count(line, c); };
  header.separator = count('\t') > count(',') ? '\t' : count(';') > count(',') ? ';' : ',';
  std::uint32_t lines = 0;
  if (!next_record(text, header.separator, header.names, lines)) header.names.clear();
  header.line += lines;
  header.rest = text;
  for (std::string& name : header.names) name = plain_word(name);
  return header;
}

Columns fields_of(Data row) {
  Columns fields;
  for (const Data value : row) {
    const Data first = value.is_list() ? (value.begin() == value.end() ? Data() : *value.begin()) : value;
    fields.try_emplace(plain_word(value.key()), first.text());
  }
  return fields;
}

}  // namespace

std::string field(const Columns& fields, Names names) {
  for (const std::string_view name : names) {
    const auto found = fields.find(name);
    if (found != fields.end() && !found->second.empty()) return found->second;
  }
  return {};
}

bool has_column(const Columns& fields, Names names) {
  return std::ranges::any_of(names, [&](std::string_view name) { return fields.contains(name); });
}

Columns columns_of(std::string_view csv) {
  Columns fields;
  for (std::string& name : header_of(csv).names) fields.try_emplace(std::move(name));
  return fields;
}

Columns columns_of(Data json) {
  if (json.is_map()) return fields_of(json);
  for (const Data row : json) return row.is_map() ? fields_of(row) : Columns();
  return {};
}

void for_each_row(const Source& source, Data json, Facts& facts,
                  const std::function<void(const Columns&, std::uint32_t)>& read) {
  if (json.is_map()) return read(fields_of(json), json.line());
  if (json) {
    for (const Data row : json) read(fields_of(row), row.line());
    return;
  }
  const Header header = header_of(source.text);
  Columns fields;  // one for all rows: the names are copied once
  for (const std::string& name : header.names) fields.try_emplace(name);
  std::vector<std::string*> places;
  std::vector<bool> is_second(header.names.size());  // of two columns with one name the first counts
  for (std::size_t i = 0; i < header.names.size(); ++i) {
    places.push_back(&fields.find(header.names[i])->second);
    is_second[i] = std::find(places.begin(), places.end() - 1, places.back()) != places.end() - 1;
  }
  std::vector<std::string> row;
  std::string_view rest = header.rest;
  std::uint32_t lines = 0;
  for (std::uint32_t line = header.line; !rest.empty(); line += lines) {
    const bool is_whole = next_record(rest, header.separator, row, lines);
    if (row.size() == 1 && base::trim(row[0]).empty()) continue;
    if (!is_whole || row.size() != header.names.size()) {
      facts.leave_out({source.file, line}, fmt::format("a row of {} fields where the head has {}", row.size(),
                                                       header.names.size()));
      continue;
    }
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!is_second[i]) places[i]->assign(base::trim(row[i]));
    }
    read(fields, line);
  }
}

std::optional<bool> yes_or_no(std::string_view text) {
  const std::string word = plain_word(text);
  if (word == "true" || word == "on" || word == "yes" || word == "accept") return true;
  if (word == "false" || word == "off" || word == "no" || word == "reject") return false;
  return std::nullopt;
}

}  // namespace sekimori::importers

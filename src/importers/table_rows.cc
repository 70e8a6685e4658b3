#include "importers/table_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "importers/lines.h"

namespace sekimori::importers {
namespace {

// RFC 4180: quoted fields have doubled quotes. They may go over lines there; names of NICs do not.
void cells(std::string_view line, char separator, std::vector<std::string>& out) {
  out.assign(1, {});
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      out.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == separator && !quoted) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
}

struct Header {
  std::vector<std::string> names;
  char separator = ',';
  std::uint32_t line = 0;
};

// The first line that is no comment (#TYPE ... of Export-Csv).
Header header_of(std::string_view text) {
  Header header;
  for_each_line(text.substr(0, 65536), [&](std::string_view line, std::uint32_t number) {
    if (header.line != 0 || line.empty() || line.starts_with('#')) return;
    header.line = number;
    const auto count = [&](char c) { return std::ranges::count(line, c); };
    header.separator = count('\t') > count(',') ? '\t' : count(';') > count(',') ? ';' : ',';
    cells(line, header.separator, header.names);
    for (std::string& name : header.names) name = plain_word(name);
  });
  return header;
}

Fields fields_of(Data row) {
  Fields fields;
  for (const Data value : row) {
    const Data first = value.is_list() ? (value.begin() == value.end() ? Data() : *value.begin()) : value;
    fields.try_emplace(plain_word(value.key()), first.text());
  }
  return fields;
}

}  // namespace

std::string plain_word(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c + 32);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out;
}

std::string field(const Fields& fields, Names names) {
  for (const std::string_view name : names) {
    const auto found = fields.find(name);
    if (found != fields.end() && !found->second.empty()) return found->second;
  }
  return {};
}

bool has_column(const Fields& fields, Names names) {
  return std::ranges::any_of(names, [&](std::string_view name) { return fields.contains(name); });
}

Fields columns_of(std::string_view csv) {
  Fields fields;
  for (std::string& name : header_of(csv).names) fields.try_emplace(std::move(name));
  return fields;
}

Fields columns_of(Data json) {
  if (json.is_map()) return fields_of(json);
  for (const Data row : json) return row.is_map() ? fields_of(row) : Fields();
  return {};
}

void for_each_row(const Source& source, Data json, Facts& facts,
                  const std::function<void(const Fields&, std::uint32_t)>& read) {
  if (json.is_map()) return read(fields_of(json), json.line());
  if (json) {
    for (const Data row : json) read(fields_of(row), row.line());
    return;
  }
  const Header header = header_of(source.text);
  Fields fields;  // one for all rows: the names are copied once
  for (const std::string& name : header.names) fields.try_emplace(name);
  std::vector<std::string*> places;
  std::vector<bool> is_second(header.names.size());  // of two columns with one name the first counts
  for (std::size_t i = 0; i < header.names.size(); ++i) {
    places.push_back(&fields.find(header.names[i])->second);
    is_second[i] = std::find(places.begin(), places.end() - 1, places.back()) != places.end() - 1;
  }
  std::vector<std::string> row;
  for_each_line(source.text, [&](std::string_view line, std::uint32_t number) {
    if (number <= header.line || base::trim(line).empty()) return;
    cells(line, header.separator, row);
    if (row.size() != header.names.size())
      return facts.leave_out({source.file, number}, fmt::format("a row of {} fields where the header has {}",
                                                                row.size(), header.names.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!is_second[i]) places[i]->assign(base::trim(row[i]));
    }
    read(fields, number);
  });
}

std::optional<bool> yes_or_no(std::string_view text) {
  const std::string word = plain_word(text);
  if (word == "true" || word == "on" || word == "yes" || word == "accept") return true;
  if (word == "false" || word == "off" || word == "no" || word == "reject") return false;
  return std::nullopt;
}

std::uint16_t vlan_number(std::string_view text) {
  unsigned vlan = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), vlan);
  const bool is_one = error == std::errc() && stop == text.data() + text.size() && vlan >= 1 && vlan <= 4094;
  return is_one ? static_cast<std::uint16_t>(vlan) : std::uint16_t{0};
}

}  // namespace sekimori::importers

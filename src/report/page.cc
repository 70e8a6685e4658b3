#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "report/typeset.h"

namespace sekimori::report {
namespace {

constexpr std::size_t kUnbounded = 1'000'000;
constexpr std::size_t kGap = 2;             // between columns of a table
constexpr std::size_t kLeastName = 16;      // a table whose first column is narrower is stacked
constexpr std::size_t kLeastLabelled = 28;  // likewise for text beside a label

std::string_view code(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "\x1b[1m";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kRed:
      return "\x1b[1;31m";
    case Style::kYellow:
      return "\x1b[33m";
    case Style::kGreen:
      return "\x1b[32m";
    case Style::kCyan:
      return "\x1b[36m";
  }
  return "";
}

}  // namespace

std::size_t page_width(std::size_t terminal_width) {
  return std::clamp<std::size_t>(terminal_width, 20, 110);
}

std::string Page::paint(std::string_view text, Style style) const {
  if (!colour_ || style == Style::kPlain || text.empty()) return std::string(text);
  return fmt::format("{}{}\x1b[0m", code(style), text);
}

void Page::put(std::size_t indent, std::string_view text, Style style) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (!text.empty()) out_.append(indent, ' ').append(paint(text, style));
  out_ += '\n';
}

void Page::blank() {
  if (!out_.empty() && !out_.ends_with("\n\n")) out_ += '\n';
}

void Page::paragraph(std::size_t indent, std::string_view text, Style style) {
  for (const std::string& part : wrap(printable(text, utf8_), width_ - indent, utf8_))
    put(indent, part, style);
}

void Page::line(std::size_t indent, std::string_view text, Style style) {
  const std::vector<std::string> whole = wrap(printable(text, utf8_), kUnbounded, utf8_);
  put(indent, clip(whole.front(), width_ - indent, utf8_), style);
}

void Page::labelled(std::size_t indent, std::string_view label, std::size_t label_width,
                    std::string_view text, Style style) {
  const std::size_t text_indent = indent + label_width + kGap;
  if (text_indent + kLeastLabelled > width_) {
    if (!label.empty()) put(indent, shorten(printable(label, utf8_), width_ - indent, utf8_), Style::kDim);
    return paragraph(indent + 2, text, style);
  }
  std::string shown = left(shorten(printable(label, utf8_), label_width, utf8_), label_width);
  for (const std::string& part : wrap(printable(text, utf8_), width_ - text_indent, utf8_)) {
    out_.append(indent, ' ').append(paint(shown, Style::kDim)).append(kGap, ' ').append(paint(part, style)) +=
        '\n';
    shown.assign(label_width, ' ');
  }
}

void Page::rule(std::string_view text, Style style) {
  const std::string_view stroke = glyph("━", "=");
  const std::string title = clip(printable(text, utf8_), width_ - 5, utf8_);
  out_ += paint(fmt::format("{} {} ", repeat(stroke, 2), title), style);
  out_ += paint(repeat(stroke, width_ - 4 - columns(title)), style) + '\n';
}

void Page::table(std::size_t indent, const Table& table) {
  const std::size_t count = table.headers.size();
  std::vector<std::size_t> widths(count);
  for (std::size_t c = 0; c < count; ++c) widths[c] = columns(table.headers[c]);
  for (const Table::Row& row : table.rows) {
    SEKIMORI_ASSERT(row.cells.size() == count);
    for (std::size_t c = 0; c < count; ++c) {
      widths[c] = std::max(widths[c], columns(printable(row.cells[c].text, utf8_)));
    }
  }
  std::size_t numbers = indent;
  for (std::size_t c = 1; c < count; ++c) numbers += kGap + widths[c];
  if (numbers + std::min(widths[0], kLeastName) > width_) return stacked_table(indent, table);
  widths[0] = std::min(widths[0], width_ - numbers);

  const auto cell = [&](std::size_t c, std::string_view text) {
    const bool to_left = c == 0 || (table.last_is_left && c + 1 == count);
    return to_left ? left(text, widths[c]) : right(text, widths[c]);
  };
  std::string header;
  for (std::size_t c = 0; c < count; ++c) header += (c > 0 ? "  " : "") + cell(c, table.headers[c]);
  put(indent, header, Style::kDim);
  for (const Table::Row& row : table.rows) {
    std::string name = printable(row.cells[0].text, utf8_);
    if (columns(name) > widths[0]) {  // a long name gets a line of its own above its numbers
      put(indent, shorten(name, width_ - indent, utf8_), row.cells[0].style);
      name.clear();
    }
    std::string text = paint(cell(0, name), row.cells[0].style);
    for (std::size_t c = 1; c < count; ++c) {
      std::string shown = cell(c, printable(row.cells[c].text, utf8_));
      if (c + 1 == count) shown.erase(shown.find_last_not_of(' ') + 1);
      text += "  " + paint(shown, row.cells[c].style);
    }
    put(indent, text, Style::kPlain);
    for (const Cell& below : row.below) paragraph(indent + 2, below.text, below.style);
  }
}

// Too narrow for columns: each row becomes its name and a sentence "header value, header value".
void Page::stacked_table(std::size_t indent, const Table& table) {
  for (const Table::Row& row : table.rows) {
    paragraph(indent, row.cells[0].text, row.cells[0].style);
    std::string numbers;
    for (std::size_t c = 1; c < row.cells.size(); ++c) {
      const std::string& text = row.cells[c].text;
      const std::size_t start = text.find_first_not_of(' ');
      if (start == std::string::npos || text == "-" || table.headers[c].empty()) continue;
      if (!numbers.empty()) numbers += ", ";
      numbers += fmt::format("{} {}", table.headers[c], std::string_view(text).substr(start));
    }
    paragraph(indent + 2, numbers);
    for (const Cell& below : row.below) paragraph(indent + 2, below.text, below.style);
  }
}

}  // namespace sekimori::report

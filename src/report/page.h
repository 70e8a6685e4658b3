// A page of terminal text in the making: paragraphs with labels, and tables that adapt to the width.
//
// Every string handed over here may come from a stranger: the page passes it through printable(). Colours are
// put around whole cells after their width is settled, so a coloured page has the same lines as a plain one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sekimori::report {

enum class Style : std::uint8_t { kPlain, kBold, kDim, kRed, kYellow, kGreen, kCyan };

struct Cell {
  std::string text;
  Style style = Style::kPlain;
};

// The first column is text and flexible; the others are right-aligned numbers, as wide as they need to be.
struct Table {
  struct Row {
    std::vector<Cell> cells;
    // Shown below the row, indented and wrapped.
    std::vector<Cell> below;
  };
  std::vector<std::string> headers;
  std::vector<Row> rows;
  bool last_is_left = false;  // the last column is left-aligned (a bar)
};

// The width to lay out for: prose wider than 110 columns is hard to read, and below 20 nothing helps.
std::size_t page_width(std::size_t terminal_width);

class Page {
 public:
  Page(std::size_t width, bool colour, bool utf8) : width_(width), colour_(colour), utf8_(utf8) {}

  std::size_t width() const { return width_; }
  bool utf8() const { return utf8_; }
  // The glyph or its stand-in on ASCII terminals.
  std::string_view glyph(std::string_view unicode, std::string_view ascii) const {
    return utf8_ ? unicode : ascii;
  }

  void blank();
  // A line of its own, wrapped at the width.
  void paragraph(std::size_t indent, std::string_view text, Style style = Style::kPlain);
  // One line, cut at the width.
  void line(std::size_t indent, std::string_view text, Style style = Style::kPlain);
  // "label    text ...", the text in a column of its own; on narrow pages below the label.
  void labelled(std::size_t indent, std::string_view label, std::size_t label_width, std::string_view text,
                Style style = Style::kPlain);
  // "━━ text ━━━━━━━" over the whole width.
  void rule(std::string_view text, Style style = Style::kPlain);
  void table(std::size_t indent, const Table& table);

  std::string take() { return std::move(out_); }

 private:
  void put(std::size_t indent, std::string_view text, Style style);
  void stacked_table(std::size_t indent, const Table& table);
  std::string paint(std::string_view text, Style style) const;

  std::size_t width_;
  bool colour_, utf8_;
  std::string out_;
};

}  // namespace sekimori::report

// Edits of a text by line and column, kept line by line, so that everything not touched (comments, blanks, line ends)
// stays byte for byte, and the difference is known exactly. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hopcheck::otelcol {

struct Place {
  int line = 0, column = 0;  // 1-based, of the text as it was; columns are bytes
};

class Edits {
 public:
  explicit Edits(std::string_view text);

  // The text that stands there before any edit, to the end of its line, without the line end; "" outside.
  std::string_view at(const Place& place) const;
  // Replaces `old_text`, which must stand there; false, and nothing done, when it does not. One place takes one edit,
  // places of a line may be edited in any order.
  bool replace(const Place& place, std::string_view old_text, std::string_view new_text);
  // A new line behind line `after`, with that line's line end.
  void insert_line(int after, std::string_view line);

  bool changed() const;
  std::string text() const;
  // Unified, three lines around each change; "" when nothing changed. hide: columns from which on a line's rest is
  // shown as "[hidden]" (values of headers).
  std::string diff(const std::string& old_name, const std::string& new_name, const std::vector<Place>& hide) const;

 private:
  struct Cut {
    size_t begin, length;
    std::string by;
  };
  struct Line {
    std::string_view old_text;  // without line end
    std::string_view end;       // "\n", "\r\n", or "" on the last
    std::vector<Cut> cuts;
    std::vector<std::string> behind;
  };
  static std::string edited(const Line& line);

  std::vector<Line> lines_;
};

}  // namespace hopcheck::otelcol

#include "report/xml_text.h"

#include <fmt/format.h>

#include "base/text.h"
#include "report/utf8.h"

namespace hopcheck::report {

// U+FFFE and U+FFFF are the only characters left that XML 1.0 does not allow.
std::string xml_text(std::string_view text) {
  std::string out;
  const std::string visible = printable(text);
  for (std::string_view rest = visible; !rest.empty();) {
    const Utf8Char front = utf8_front(rest);
    switch (front.point) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&apos;"; break;
      case 0xfffe:
      case 0xffff: out += fmt::format("\\u{{{:04x}}}", front.point); break;
      default: out += rest.substr(0, front.bytes);
    }
    rest.remove_prefix(front.bytes);
  }
  return out;
}

}  // namespace hopcheck::report

#include "report/html_text.h"

#include "base/text.h"
#include "report/utf8.h"

namespace hopcheck::report {

std::string html_escape(std::string_view text, size_t limit) {
  std::string out;
  for (const char c : printable(cut_columns(text, limit))) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

Html Limited::remark(const char* things) const {
  Html out;
  if (left_out_ > 0) {
    out.put("<p class=\"remark\">{} more {} not shown: this page is limited to 5 MiB. run.json has them.</p>\n",
            left_out_, things);
  }
  return out;
}

}  // namespace hopcheck::report

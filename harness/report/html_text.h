// Building blocks of the HTML page. html_escape() is the only way for text to get onto it: Html::put() takes a
// format string known at compile time and passes every text argument through it; finished Html values go in as they
// are.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <type_traits>

namespace hopcheck::report {

// Any bytes as HTML text or as the inside of a quoted attribute: control, bidi and invalid bytes become visible
// escapes, then & < > " ' become entities. At most `limit` columns, an ellipsis for the rest.
std::string html_escape(std::string_view text, size_t limit = 1000);

class Html;
namespace detail {
template <class T>
auto safe(const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (std::is_same_v<T, Html>) {
    return value.view();
  } else {
    return html_escape(value);
  }
}
}  // namespace detail

class Html {
 public:
  template <class... T>
  Html& put(fmt::format_string<decltype(detail::safe(std::declval<const T&>()))...> format, const T&... values) {
    out_ += fmt::format(format, detail::safe(values)...);
    return *this;
  }
  Html& add(const Html& piece) {
    out_ += piece.out_;
    return *this;
  }
  std::string_view view() const { return out_; }
  size_t size() const { return out_.size(); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Adds whole pieces up to a number of bytes and counts those that no longer fit.
class Limited {
 public:
  explicit Limited(size_t limit) : limit_(limit) {}
  // False, and counted as left out, once a piece did not fit: the next ones need not be made.
  bool wants() {
    if (left_out_ == 0) return true;
    ++left_out_;
    return false;
  }
  // The rider comes along uncounted: it has a limit of its own.
  void add(const Html& piece, const Html& rider = Html()) {
    if (left_out_ > 0 || used_ + piece.size() > limit_) {
      ++left_out_;
      return;
    }
    used_ += piece.size();
    out_.add(piece).add(rider);
  }
  const Html& html() const { return out_; }
  // A paragraph saying how many `things` are not shown; empty when all are.
  Html remark(const char* things) const;

 private:
  size_t limit_;
  size_t used_ = 0;
  size_t left_out_ = 0;
  Html out_;
};

}  // namespace hopcheck::report

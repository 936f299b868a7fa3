// Expected failures are values: Result<T> carries either a T or an Error that says what failed, why, and what to do.
// Third-party exceptions are caught in the edge file that makes the call and turned into one of these.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace hopcheck {

// Decides the exit code (verdict.md section 3): the mapping lives in app/exit_code.h alone.
enum class ErrorKind {
  kUsage,        // 4: bad flag, bad file, bad value
  kEnvironment,  // 3: cluster, tool, port, permission, image
  kEvidence,     // 2: evidence missing, truncated or damaged
  kNothing,      // 5: nothing selected or judged
  kInternal,     // 70: our own bug
  kInterrupted,  // 130/143: a signal
};

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string what;  // one line: what failed, naming the thing
  std::string why;   // one line: why (may be empty)
  std::string fix;   // one line: what to do (may be empty)
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string what, std::string why = "",
                                  std::string fix = "") {
  return tl::unexpected<Error>(Error{kind, std::move(what), std::move(why), std::move(fix)});
}

// Prefixes `what` with the step that was under way: "create cluster: <what>".
inline tl::unexpected<Error> with_context(Error error, const std::string& step) {
  error.what = step + ": " + error.what;
  return tl::unexpected<Error>(std::move(error));
}

// "error: what\n  why: ...\n  fix: ...\n", empty parts left out.
inline std::string to_text(const Error& error) {
  std::string out = "error: " + error.what + "\n";
  if (!error.why.empty()) out += "  why: " + error.why + "\n";
  if (!error.fix.empty()) out += "  fix: " + error.fix + "\n";
  return out;
}

}  // namespace hopcheck

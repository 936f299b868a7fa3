// House style that a machine can see, as pure checks on one file's text. A violation is one line "path:line: what".
// The tidy test applies them to the checkout; nothing here reads a file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hopcheck::testing {

// Any text file we write: no tab (Makefile apart), no trailing blank, a last newline, lines of at most 120 columns
// (Markdown and raw string literals apart), no unfinished-work mark, no path of one machine.
std::vector<std::string> text_violations(std::string_view path, std::string_view text);

// C++ besides: at most 400 lines (tests 800), functions of at most 70, #pragma once and a head comment in headers.
std::vector<std::string> cpp_violations(std::string_view path, std::string_view text);

// Targets of the relative links of a Markdown text, without their #fragment: "[x](../a.md#b)" gives "../a.md".
std::vector<std::string> relative_links(std::string_view text);

// "HOP0601" and the like in order of appearance, each once.
std::vector<std::string> rule_codes(std::string_view text);

}  // namespace hopcheck::testing

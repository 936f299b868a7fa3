// The page's style sheet and the content policy that allows this sheet and nothing else.
#pragma once

#include <string>
#include <string_view>

namespace hopcheck::report {

std::string_view html_style();
// Content of the Content-Security-Policy meta element: the sheet by its SHA-256, no script, no image, no network.
std::string content_policy();

}  // namespace hopcheck::report

// Text as XML character data or attribute value (XML 1.0). Pure.
#pragma once

#include <string>
#include <string_view>

namespace hopcheck::report {

// Control characters become visible escapes, then the five special characters become entities.
std::string xml_text(std::string_view text);

}  // namespace hopcheck::report

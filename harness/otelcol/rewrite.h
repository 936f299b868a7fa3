// An old Collector file in the form a later Collector takes, edited in place: what find_breakages knows with a version
// is mended, and nothing else is touched; comments, order and layout stay. Rewriting a rewritten file changes nothing.
// What cannot be edited safely is refused with its place instead of guessed at. Pure.
#pragma once

#include <string>

#include "otelcol/edit.h"
#include "otelcol/manifest.h"
#include "otelcol/version.h"

namespace hopcheck::otelcol {

struct Rewritten {
  std::string text;
  std::string diff;  // unified, values of headers hidden; "" when nothing changed
};
// Problems: those of read_manifest, and each breakage that is left to a person.
config::Loaded<Rewritten> rewrite(const std::string& text, const std::string& file, const Version& target);

// A header's value stands in the file as it is: whoever prints the file prints the token. "${env:NAME}" is none.
bool holds_token(const Manifest& manifest);

// The tag of an image as a version and where it begins in the text; nullopt for a digest, no tag, or another form.
struct ImageTag {
  Version version;
  size_t begin = 0;
};
std::optional<ImageTag> image_tag(const std::string& image);

}  // namespace hopcheck::otelcol

// What is said of a Collector file, besides what makes it unreadable (manifest.h). A finding never quotes a header's
// value. Pure values.
#pragma once

#include <string>
#include <vector>

namespace hopcheck::otelcol {

enum class Effect {
  kRefused,  // the Collector of that version does not start, or the API server refuses the object
  kChanged,  // it starts and does something else than it did
  kMissing,  // something it needs is not there, in any version
  kClaim,    // a claim of the walkthrough does not hold
  kNote,     // works; good to know
};
// "refused", "changed", "missing", "claim", "note".
const char* to_string(Effect effect);

struct Finding {
  std::string id;  // "exporter-logging": stable, for machines
  Effect effect = Effect::kNote;
  int line = 1, column = 1;
  std::string what, fix;
  std::string since;   // the first Collector version it is true of; "" = of all
  std::string source;  // where that version is said; "" = no such thing
  std::string row;     // conformance row, "" = none
};

// Notes alone leave a file usable.
bool is_usable(const std::vector<Finding>& findings);
// By line, column, id; equal ones once.
void sort_findings(std::vector<Finding>& findings);
// One paragraph for each, then a line that counts them: "FILE:LINE:COLUMN: refused since 0.111.0: …".
std::string to_text(const std::vector<Finding>& findings, const std::string& file, const std::string& version);

}  // namespace hopcheck::otelcol

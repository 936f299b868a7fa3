#include "app/injections_junit.h"

#include <fmt/format.h>

#include "doctor/view.h"
#include "report/xml_text.h"

namespace hopcheck::app {

std::string injections_junit(const std::string& suite, const std::vector<doctor::Trial>& trials) {
  using report::xml_text;
  std::string cases;
  size_t failures = 0;
  double seconds = 0;
  for (const doctor::Trial& trial : trials) {
    seconds += trial.seconds;
    cases += fmt::format("    <testcase classname=\"hopcheck.{}\" name=\"{}\" time=\"{:.3f}\">", xml_text(suite),
                         xml_text(doctor::joined(trial.injected, " + ")), trial.seconds);
    if (const std::string wrong = doctor::wrong_with(trial); !wrong.empty()) {
      ++failures;
      cases += fmt::format("<failure message=\"{}\"/>", xml_text(wrong));
    }
    cases += fmt::format("<system-out>{}</system-out></testcase>\n", xml_text(doctor::joined(trial.fixes, "\n")));
  }
  const std::string counts = fmt::format("name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.3f}\"",
                                         xml_text(suite), trials.size(), failures, seconds);
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {0}>\n  <testsuite {0}>\n{1}"
                     "  </testsuite>\n</testsuites>\n",
                     counts, cases);
}

}  // namespace hopcheck::app

// The two written forms of a diagnosis.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "doctor/causes.h"
#include "doctor/diagnose.h"

namespace hopcheck::doctor {
namespace {

using nlohmann::ordered_json;

Symptom symptom_of(const Cause& cause) { return cause_catalogue()[rank_of(cause.id)].symptom; }

void add_lines(std::string& out, const char* label, const std::vector<std::string>& lines) {
  for (size_t i = 0; i < lines.size(); ++i)
    out += fmt::format("   {:<9} {}\n", i == 0 ? label : "", printable(lines[i]));
}

}  // namespace

bool is_command(const std::string& fix_line) {
  return fix_line.rfind("kubectl ", 0) == 0 || fix_line.rfind("echo '", 0) == 0;
}

std::string to_text(const Diagnosis& diagnosis) {
  std::string out;
  for (const ProbeResult& probe : diagnosis.probes) {
    out += fmt::format("{:<8} {:<17} ", to_string(probe.state), probe.id);
    if (probe.state == ProbeState::kSkipped) {
      out += "skipped: " + printable(probe.reason) + "\n";
      continue;
    }
    out += probe.question;
    out += "\n";
    for (const std::string& line : probe.evidence) out += fmt::format("{:27}{}\n", "", printable(line));
  }
  out += "\n";
  if (diagnosis.causes.empty()) {
    const int code = exit_code_of(diagnosis);
    out += code == 0   ? "no cause found\n"
           : code == 2 ? "no cause found, and not every probe could look\n"
                       : "nothing could be looked at\n";
    return out;
  }
  out += fmt::format("symptom: {}; {} cause{}\n", to_string(diagnosis.symptom), diagnosis.causes.size(),
                     diagnosis.causes.size() == 1 ? "" : "s");
  for (size_t i = 0; i < diagnosis.causes.size(); ++i) {
    const Cause& cause = diagnosis.causes[i];
    out += fmt::format("\n{}. {} [{}, {}]\n", i + 1, printable(cause.what), cause.id, to_string(symptom_of(cause)));
    add_lines(out, "evidence", cause.evidence);
    add_lines(out, "leads to", cause.consequences);
    add_lines(out, "fix", cause.fix);
  }
  return out;
}

std::string to_json(const Diagnosis& diagnosis) {
  ordered_json probes = ordered_json::array(), causes = ordered_json::array();
  for (const ProbeResult& probe : diagnosis.probes) {
    std::vector<std::string> ids;
    for (const Cause& cause : probe.causes) ids.push_back(cause.id);
    probes.push_back({{"id", probe.id},
                      {"question", probe.question},
                      {"state", to_string(probe.state)},
                      {"reason", probe.reason},
                      {"blind", probe.blind},
                      {"evidence", probe.evidence},
                      {"causes", ids}});
  }
  for (const Cause& cause : diagnosis.causes) {
    std::vector<std::string> commands;
    std::copy_if(cause.fix.begin(), cause.fix.end(), std::back_inserter(commands), is_command);
    causes.push_back({{"id", cause.id},
                      {"symptom", to_string(symptom_of(cause))},
                      {"subject", cause.subject},
                      {"what", cause.what},
                      {"evidence", cause.evidence},
                      {"consequences", cause.consequences},
                      {"fix", cause.fix},
                      {"commands", commands}});
  }
  const ordered_json out = {{"schemaVersion", 1},
                            {"symptom", to_string(diagnosis.symptom)},
                            {"exitCode", exit_code_of(diagnosis)},
                            {"causes", causes},
                            {"probes", probes}};
  return out.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace hopcheck::doctor

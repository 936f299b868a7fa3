// What the doctor says: probes in a fixed order, each pass, fail or skipped, and the causes they found, composed so
// that one cause is said once and what follows from it is listed under it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hopcheck::doctor {

// What the user sees. Worst first.
enum class Symptom : uint8_t { kNoData, kDisconnected, kWrongNames, kPartial, kHealthy };
const char* to_string(Symptom symptom);  // "no data"

struct Cause {
  std::string id;       // "telemetry-zero-percent": one line of the catalogue in causes.h
  std::string subject;  // the object at fault
  std::string what;     // one sentence
  std::vector<std::string> evidence;
  std::vector<std::string> fix;  // commands for a POSIX shell, in order; sentences where no command does it
  std::vector<std::string> consequences;  // ids of causes that follow from this one, with their subjects
};

// Whether a line of `fix` is a command. What it takes from the cluster is quoted, so that it can be pasted.
bool is_command(const std::string& fix_line);

enum class ProbeState : uint8_t { kPass, kFail, kSkipped };
const char* to_string(ProbeState state);

struct ProbeResult {
  std::string id, question;
  ProbeState state = ProbeState::kPass;
  std::string reason;  // of kSkipped
  bool blind = false;  // skipped because it could not look, not because there is nothing to look at
  std::vector<std::string> evidence;
  std::vector<Cause> causes;
};

struct Diagnosis {
  Symptom symptom = Symptom::kHealthy;
  std::vector<ProbeResult> probes;
  std::vector<Cause> causes;  // composed, first thing to mend first
};

}  // namespace hopcheck::doctor

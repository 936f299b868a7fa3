// Causes of missing traces that are brought about on purpose, to see whether each is found, and nothing else. Values
// only; read by config/load.h from files of kind InjectionSuite, performed by app/injections.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hopcheck {

// What becomes of the spans of the driven requests while it is in force.
enum class Flow : uint8_t {
  kNone,   // none reaches the backend
  kSome,   // some do, or all
  kNeeded  // it shows only while spans flow: no pair with one of kNone
};

struct Injection {
  std::string cause;    // of doctor/causes.h; also its name
  std::string subject;  // as the doctor must name it; "" = not asked
  Flow flow = Flow::kNone;
  std::vector<std::string> touches;   // what it changes; a pair has nothing of it in common
  std::vector<std::string> inject;    // commands, run by sh -eu in a folder of their own
  std::vector<std::string> findings;  // codes of the verdict while in force, all of them; empty = the run passes
  bool unusable = false;              // nothing is driven: the run says that the environment is not usable (exit 3)
  std::vector<std::string> mend;      // what the doctor's fix tells in words; empty = its printed commands are run
  std::vector<std::string> restore;   // afterwards: what the fix leaves otherwise than it was
  std::string scenario;               // driven while in force; "" = the suite's
  std::vector<std::string> rows;      // that are proven by it
};

struct InjectionSuite {
  std::string name, file;
  std::string scenario;    // path as written; driven after each injection and after each fix
  std::string ns;          // whose workloads the doctor judges
  uint64_t requests = 20;  // of each run
  size_t pairs = 0;        // drawn by seed
  std::vector<std::string> rows;  // that all trials together prove
  std::vector<Injection> injections;
};

}  // namespace hopcheck

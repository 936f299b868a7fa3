// Performing the steps of a walkthrough in an environment of the kind provider: shell text with that environment's
// kubeconfig and tools, never the user's, and the checks that a shell cannot do. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "app/phase_log.h"
#include "app/verbs.h"
#include "mesh/kind_provider.h"
#include "mesh/process.h"
#include "model/walkthrough.h"
#include "run/environment_plan.h"
#include "run/walkthrough.h"

namespace hopcheck::app {

// A scenario of the walkthrough, its topology moved to the walkthrough's namespace.
struct WalkScenario {
  Scenario scenario;
  run::EnvironmentPlan plan;
};

struct WalkPlace {
  mesh::KindProvider* provider = nullptr;
  mesh::Ground ground;
  const store::RunDirectory* directory = nullptr;
  PhaseLog* log = nullptr;
  std::map<std::string, WalkScenario> scenarios;  // by step
  std::vector<MeshProfile> profiles;
  uint64_t seed = 0;
};

class WalkSteps {
 public:
  WalkSteps(WalkPlace place, Context& context);
  // Folder of tools for the steps, first on their PATH.
  Result<void> prepare();
  // Of tools that this machine may lack: helm, and Istio's chart for it, where scripts/helm has made them.
  std::set<std::string> capabilities() const;
  StepSeen perform(const WalkStep& step, const run::Variables& variables);
  void began(const WalkStep& step);  // notes the time

 private:
  StepSeen run_shell(const WalkStep& step, const run::Variables& variables);
  StepSeen find_address();
  StepSeen find_traces(const WalkStep& step);
  StepSeen drive_scenario(const WalkStep& step);
  void let_earlier_spans_out();
  Result<void> open_capture(const WalkScenario& scenario, const std::string& run);
  void find_helm();
  void keep_log(const WalkStep& step, const StepSeen& seen);
  std::string without_token(std::string text) const;

  WalkPlace place_;
  Context& context_;
  std::unique_ptr<mesh::ProcessRunner> runner_;
  std::string token_, helm_, chart_;
  std::map<std::string, uint64_t> began_;  // step → wall clock, nanoseconds
};

}  // namespace hopcheck::app

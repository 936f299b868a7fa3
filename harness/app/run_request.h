// What `run` was asked to do, resolved: files loaded, seed fixed, environment planned. No mesh is touched here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/load.h"
#include "run/environment_plan.h"

namespace hopcheck::app {

struct RunOptions {
  std::vector<std::string> paths;
  std::string provider = "auto", istio, images, env, out, keep = "never", timeout, progress = "auto";
  std::vector<std::string> image_overrides;  // ROLE=REF
  std::optional<uint64_t> seed, requests;
  std::optional<double> rate;
  bool dry_run = false;
  std::vector<std::string> without_rules;
};

struct RunRequest {
  Suite suite;              // name "" for plain scenarios; drawn faults and expectations are filled in
  run::EnvironmentPlan plan;
  std::vector<MeshProfile> profiles;
  uint64_t seed = 0;
  std::vector<std::pair<std::string, std::string>> drawn;    // scenario, fault
  std::vector<std::pair<std::string, std::string>> skipped;  // scenario, reason
};

// A seed that is short enough to type.
uint64_t draw_seed();

struct ProviderFacts {
  std::vector<std::string> capabilities;
  std::string istio;  // version of this run: as asked for, else the provider's default
};

// Scenarios that need what the provider lacks, or another Istio, are skipped by name.
Result<RunRequest> resolve_run(const RunOptions& options, const config::SearchPath& search,
                               const ProviderFacts& provider);

// Where a scenario leaves the gateway's spawn flag to the version, what this version does is written in, so that
// environments can be compared; kUsage when no profile fits the version.
Result<void> settle_spawn(const std::vector<MeshProfile>& profiles, const std::string& istio,
                          std::vector<Scenario>& scenarios);

struct ProviderChoice {
  std::string name;  // kind | local
  std::string why;   // one clause; "" when it was named on the command line
};

// The plan for people: provider, seed, environments, instances, expected trees, drawn faults.
Result<std::string> dry_run_text(const RunRequest& request, const std::string& istio,
                                 const ProviderChoice& choice);
// The same for machines, one JSON object: provider {name, why}, seed, drawn, skipped, scenarios with their requests.
std::string dry_run_json(const RunRequest& request, const ProviderChoice& choice);

}  // namespace hopcheck::app

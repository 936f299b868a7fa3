// The mesh a run goes through, whichever provider makes it: kind (a fresh cluster or a standing one by id) or local.
// Wires mesh to config. `auto` is resolved here.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/phase_log.h"
#include "app/run_request.h"
#include "app/verbs.h"
#include "base/result.h"
#include "run/provider.h"

namespace hopcheck::app {

class MeshEnvironment {
 public:
  virtual ~MeshEnvironment() = default;
  virtual run::Provider& provider() = 0;
  // Releases and proves it, or keeps.
  virtual Result<void> finish(bool keep, PhaseLog& log) = 0;
};

struct RunPlace {
  std::string run_id, log_dir;
};

// What --provider means on this machine. For auto: kind when a Docker engine answers, its tools are there and the
// pinned images are in the engine or can be pulled (asked for, not pulled); else local. Takes 5 s at most. --env
// means kind.
Result<ProviderChoice> choose_provider(const RunOptions& options, Context& context);

// What the provider can do, as this machine and the images of --images have it, and which Istio a run with these
// options has. Nothing is started. kUsage: an images file that is none.
Result<ProviderFacts> facts_of(const std::string& provider, const RunOptions& options, Context& context);
// Whatever can be known before anything is made: tools, Docker, images, port.
Result<void> preflight(const std::string& provider, const RunOptions& options, Context& context);
// With options.env the standing environment of that id (never released by us), else a new one. Nothing is made yet.
Result<std::unique_ptr<MeshEnvironment>> open_environment(const std::string& provider, const RunOptions& options,
                                                          const RunPlace& place, const RunRequest& request,
                                                          Context& context);

// ROLE=REF pairs of --image. kUsage error.
Result<std::map<std::string, std::string>> image_overrides(const std::vector<std::string>& pairs);

}  // namespace hopcheck::app

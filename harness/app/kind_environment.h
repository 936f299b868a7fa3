// The kind provider as `run` and `up` use it: a fresh environment of one's own, or a standing one by id. Wires mesh to
// config.
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

namespace hopcheck::mesh {
class KindProvider;
}

namespace hopcheck::app {

// ROLE=REF pairs of --image. kUsage error.
Result<std::map<std::string, std::string>> image_overrides(const std::vector<std::string>& pairs);

class KindEnvironment {
 public:
  static std::vector<std::string> capabilities();
  // Whatever can be known before anything is made: tools, Docker, images, port.
  static Result<void> preflight(const RunOptions& options, Context& context);
  struct RunPlace {
    std::string run_id, log_dir;
  };
  // With options.env the standing environment of that id (never released by us), else a new one. Nothing is made yet.
  static Result<KindEnvironment> open(const RunOptions& options, const RunPlace& place, Context& context);
  KindEnvironment(KindEnvironment&&) noexcept;
  ~KindEnvironment();

  run::Provider& provider();
  // Releases and proves it, or keeps.
  Result<void> finish(bool keep, PhaseLog& log);

 private:
  KindEnvironment(std::unique_ptr<mesh::KindProvider> provider, bool standing);
  std::unique_ptr<mesh::KindProvider> provider_;
  bool standing_ = false;
};

}  // namespace hopcheck::app

// `hopcheck run` on a file of kind InjectionSuite (docs/how-to/no-trace-data.md): each cause is brought about on a
// healthy kind mesh, driven, diagnosed, mended by the fix that the doctor prints, and driven again; then pairs of them.
// Runs and diagnoses are this program's own verbs, called as a user would call them.
#pragma once

#include <string>
#include <vector>

#include "app/run_request.h"
#include "app/verbs.h"

namespace hopcheck::app {

struct InjectionOptions {
  RunOptions run;                 // file, env, istio, images, out, seed
  std::vector<std::string> only;  // these causes, and no pair
  std::string output;             // "json": the trials on stdout instead of the table
};

// Exit code: 0 each cause was named alone and its fix made the mesh whole, 1 not, 3 the mesh is not healthy to begin
// with. Nothing outside an environment of ours is changed.
Result<int> run_injections(const InjectionOptions& options, Context& context);

}  // namespace hopcheck::app

// One environment of ours, and what is done to it in a trial of an injected cause: commands, runs, diagnoses, fixes.
// Used by injections.h alone. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/injections.h"
#include "doctor/confusion.h"
#include "mesh/process.h"

namespace hopcheck::app {

// What a diagnosis said.
struct Diagnosed {
  struct Cause {
    std::string id, subject;
    std::vector<std::string> commands;
  };
  std::vector<Cause> causes;
  std::vector<std::string> ids() const;
};

// What a run came to.
struct Driven {
  int exit_code = -1;
  std::vector<std::string> codes;  // of the findings, sorted, each once
  std::string istio;
};

class Performer {
 public:
  using Strings = std::vector<std::string>;

  Performer(const InjectionSuite& suite, const InjectionOptions& options, Context& context)
      : suite_(suite), options_(options), context_(context), runner_(mesh::make_process_runner()) {}

  // That of --env, else one that close_environment() removes again.
  Result<void> open_environment();
  Result<void> close_environment();
  // Before anything is injected: the run passes and the doctor finds nothing.
  Result<void> check_healthy();
  // What keeps a trial from its end is told in it, and the mesh put back as far as it goes.
  doctor::Trial perform(const std::vector<const Injection*>& injections);
  // Proofs of conformance rows: the injected mesh is their negative, the mended one their positive.
  void record(const Strings& rows, const std::string& result, const std::vector<doctor::Trial>& trials);

 private:
  using Injections = std::vector<const Injection*>;
  Result<mesh::ProcessResult> call(const Strings& arguments, const std::string& log, int64_t timeout_ms);
  Result<void> shell(const Strings& commands, const std::string& folder);
  Result<void> wait_whole(const std::string& folder);
  Result<Driven> drive(const std::string& scenario, const std::string& folder);
  Result<Diagnosed> diagnose(const std::string& folder, const std::string& run);
  Result<void> perform_steps(const Injections& injections, const std::string& folder, doctor::Trial& trial);
  Result<void> mend(const Injections& injections, const Diagnosed& diagnosed, const std::string& folder,
                    doctor::Trial& trial);
  void clean_up(const Injections& injections, const std::string& folder);
  std::string kubeconfig() const;

  const InjectionSuite& suite_;
  const InjectionOptions& options_;
  Context& context_;
  std::unique_ptr<mesh::ProcessRunner> runner_;
  std::string env_, istio_;
  bool ours_ = false;
  int number_ = 0;  // of the trial
};

}  // namespace hopcheck::app

// One live run: deploy → probe → warm up → drive → drain, group by group, then the evidence is stored. Judging is
// stored_run.h's, on what was stored. Every phase leaves the run directory in a state that can be judged.
#pragma once

#include <memory>

#include "app/capture_tail.h"
#include "app/driver.h"
#include "app/phase_log.h"
#include "app/stored_run.h"
#include "run/drain.h"
#include "run/earlier_facts.h"
#include "run/environment_plan.h"

namespace hopcheck::app {

struct SessionInput {
  run::Provider* provider = nullptr;
  const run::EnvironmentPlan* plan = nullptr;
  const std::vector<MeshProfile>* profiles = nullptr;
  std::vector<bool> must_be_complete;  // by planned scenario: its spans are waited for
  store::RunDirectory* directory = nullptr;
  RunIdentity identity;
  PhaseLog* log = nullptr;
  double suite_rate = 0;               // 0: each scenario's own
  const std::atomic<bool>* stop = nullptr;
};

class Session {
 public:
  explicit Session(SessionInput input);
  // Evidence is stored whatever happens; the error says what went wrong first.
  Result<void> run();
  bool drove() const { return drove_; }

 private:
  Result<void> run_groups();
  Result<void> run_group(size_t group);
  Result<void> phase(const std::string& name, const std::function<Result<void>()>& body);
  Result<void> deploy(size_t group);
  Result<void> restart_proxies(size_t group);
  Result<void> probe(size_t group);
  Result<void> drive_group(size_t group);
  Result<void> drive_switched(size_t scenario);
  Result<void> drain();
  Result<void> post_control(uint64_t number);
  bool control_arrived(uint64_t number);
  void expect_spans(size_t scenario);
  void store();
  std::vector<size_t> scenarios_of(size_t group) const;
  double rate_for(const std::vector<size_t>& scenarios) const;
  bool stopped() const { return *input_.stop; }

  SessionInput input_;
  plan::TagCipher cipher_;
  std::unique_ptr<CaptureTail> tail_;
  std::unique_ptr<Driver> driver_;
  Environment environment_;
  run::EarlierFacts earlier_;    // of before restarts that were ours
  uint64_t controls_after_ = 0;  // posted after a drive: numbers 1 …
  bool marked_ = false, drove_ = false;
};

}  // namespace hopcheck::app

// Fake ProcessRunner for tests: answers by the first rule whose words all occur in the command line, and records every
// call.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "mesh/process.h"

namespace hopcheck::mesh {

class FakeProcessRunner final : public ProcessRunner {
 public:
  struct Rule {
    std::vector<std::string> words;
    ProcessResult result;
  };

  void on(std::vector<std::string> words, int exit_code, std::string out = "", std::string err = "") {
    ProcessResult result;
    result.exit_code = exit_code;
    result.out = std::move(out);
    result.err = std::move(err);
    rules_.push_back({std::move(words), std::move(result)});
  }

  Result<ProcessResult> run(const ProcessSpec& spec, const std::atomic<bool>& stop) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::string line;
    for (const std::string& word : spec.argv) line += (line.empty() ? "" : " ") + word;
    calls_.push_back(line);
    if (stop.load()) {
      ProcessResult interrupted;
      interrupted.interrupted = true;
      return interrupted;
    }
    for (const Rule& rule : rules_) {
      bool all = true;
      for (const std::string& word : rule.words) all = all && line.find(word) != std::string::npos;
      if (all) return rule.result;
    }
    return fail(ErrorKind::kEnvironment, "cannot start " + spec.argv.at(0), "no rule of the fake matches: " + line);
  }

  std::vector<std::string> calls() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return calls_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Rule> rules_;
  std::vector<std::string> calls_;
};

}  // namespace hopcheck::mesh

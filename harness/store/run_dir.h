// The run directory (files.md): everything one run leaves behind, so that it can be judged again without a mesh.
// Directories are made 0700 and files 0600, since configuration and captures may hold secrets; no file is opened
// through a symbolic link. Documents are replaced whole (temporary file, fsync, rename); phases.jsonl grows by one
// write per line. Errors: kUsage for a path that is no run directory, kEvidence for missing or damaged content (with
// file and line), kEnvironment for what the operating system refuses. Thread-compatible; append_phase() may be called
// from several threads at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/environment.h"
#include "model/ledger.h"
#include "model/run_result.h"

namespace hopcheck::store {

class RunDirectory {
 public:
  // Makes `path` with parents, reports/ and logs/ in it. An existing directory is taken only when it is empty.
  static Result<RunDirectory> create(const std::string& path);
  static Result<RunDirectory> open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const;  // "<path>/<name>"
  bool has(std::string_view name) const;          // a regular file of that name exists

  Result<void> write_ledger(const std::vector<LedgerEntry>& entries) const;
  Result<std::vector<LedgerEntry>> read_ledger() const;
  Result<void> write_environment(const Environment& environment) const;
  Result<Environment> read_environment() const;
  Result<void> append_phase(const PhaseStep& step) const;
  Result<std::vector<PhaseStep>> read_phases() const;  // a torn last line is left out
  Result<void> write_scenario(std::string_view yaml) const;
  Result<std::string> read_scenario() const;
  Result<void> write_findings(std::string_view jsonl) const;  // report::findings_to_jsonl
  Result<void> write_run_json(std::string_view json) const;   // report::to_json
  Result<std::string> read_run_json() const;
  // Any other file under the directory: "reports/report.html", "logs/kubectl.txt". No "..", no absolute path.
  Result<void> write(std::string_view name, std::string_view content) const;
  Result<std::string> read(std::string_view name, size_t limit) const;

 private:
  explicit RunDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// ledger.jsonl, or a text file with one traceparent per line ('#' and blank lines skipped; n counts from 0, outcome
// ok with status 0, since such a file says nothing about answers). Unknown keys are ignored; errors name the line.
// Beside files.md's keys "scenario" and "hop" are kept; Intent::journey (an index) and due_offset_nanos are not and
// read as 0.
Result<std::vector<LedgerEntry>> load_ledger(const std::string& path);
inline constexpr size_t kMaxLedgerLines = 20'000'000;
inline constexpr size_t kMaxLedgerLineBytes = 64u << 10;

// Makes <runs>/latest a relative symbolic link to the run (a direct child of `runs`), replacing an older link
// atomically.
Result<void> link_latest(const std::string& runs, const std::string& run_name);

// Keeps the newest runs and every run that did not pass within a period; removes the others. Newest by modification
// time. Touches only direct children that are directories holding a file a run writes; never follows links.
struct KeepRuns {
  size_t newest = 20;
  int64_t failing_nanos = 14ll * 24 * 3600 * 1'000'000'000;
  int64_t now_unix_nanos = 0;
  std::vector<std::string> always;  // names never removed
};
// Names removed, ascending. A runs folder that does not exist removes nothing.
Result<std::vector<std::string>> prune_runs(const std::string& runs, const KeepRuns& keep);

}  // namespace hopcheck::store

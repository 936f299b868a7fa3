#include "store/run_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "report/json.h"
#include "store/file_io.h"
#include "store/ledger_file.h"

namespace hopcheck::store {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxSmallFile = 64u << 20;

Result<void> make_private(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) fs::permissions(path, fs::perms::owner_all, error);
  if (error) return fail(ErrorKind::kEnvironment, path.string() + " cannot be made", error.message(), "name another --out");
  return {};
}

bool inside(std::string_view name) {
  if (name.empty() || name[0] == '/') return false;
  for (const fs::path& part : fs::path(name)) {
    if (part == "..") return false;
  }
  return true;
}

}  // namespace

Result<RunDirectory> RunDirectory::create(const std::string& path) {
  std::error_code error;
  if (fs::exists(path, error) && (!fs::is_directory(path, error) || !fs::is_empty(path, error))) {
    return fail(ErrorKind::kUsage, path + " exists and is not empty", "a run never writes over another one", "name another --out");
  }
  for (const fs::path& part : {fs::path(path), fs::path(path) / "reports", fs::path(path) / "logs"}) {
    if (auto made = make_private(part); !made) return tl::unexpected(made.error());
  }
  return RunDirectory(path);
}

Result<RunDirectory> RunDirectory::open(const std::string& path) {
  std::error_code error;
  if (!fs::exists(fs::path(path) / "scenario.yaml", error)) {
    return fail(ErrorKind::kUsage, path + " is no run directory", "it has no scenario.yaml", "hopcheck check reports/runs/latest");
  }
  if (auto made = make_private(fs::path(path) / "reports"); !made) return tl::unexpected(made.error());
  return RunDirectory(path);
}

std::string RunDirectory::file(std::string_view name) const { return path_ + "/" + std::string(name); }

bool RunDirectory::has(std::string_view name) const {
  std::error_code error;
  return fs::is_regular_file(file(name), error);
}

Result<void> RunDirectory::write_ledger(const std::vector<LedgerEntry>& entries) const {
  return replace_file(file("ledger.jsonl"), ledger_to_jsonl(entries));
}

Result<std::vector<LedgerEntry>> RunDirectory::read_ledger() const { return load_ledger(file("ledger.jsonl")); }

Result<void> RunDirectory::write_environment(const Environment& environment) const {
  return replace_file(file("environment.json"), report::environment_to_json(environment));
}

Result<Environment> RunDirectory::read_environment() const {
  const auto text = read_whole(file("environment.json"), kMaxSmallFile);
  if (!text) return tl::unexpected(text.error());
  auto environment = report::environment_from_json(*text);
  if (!environment) return with_context(environment.error(), file("environment.json"));
  return environment;
}

Result<void> RunDirectory::append_phase(const PhaseStep& step) const {
  return append_file(file("phases.jsonl"), report::phase_to_json(step) + "\n");
}

Result<std::vector<PhaseStep>> RunDirectory::read_phases() const {
  const auto text = read_whole(file("phases.jsonl"), kMaxSmallFile);
  if (!text) return tl::unexpected(text.error());
  std::vector<PhaseStep> out;
  std::string_view rest = *text;
  for (size_t number = 1;; ++number) {
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;  // nothing left, or a torn last line
    auto step = report::phase_from_json(rest.substr(0, end));
    if (!step) return with_context(step.error(), fmt::format("{}:{}", file("phases.jsonl"), number));
    out.push_back(std::move(*step));
    rest.remove_prefix(end + 1);
  }
  return out;
}

Result<void> RunDirectory::write_scenario(std::string_view yaml) const { return replace_file(file("scenario.yaml"), yaml); }
Result<std::string> RunDirectory::read_scenario() const { return read_whole(file("scenario.yaml"), kMaxSmallFile); }
Result<void> RunDirectory::write_findings(std::string_view jsonl) const { return replace_file(file("findings.jsonl"), jsonl); }
Result<void> RunDirectory::write_run_json(std::string_view json) const { return replace_file(file("run.json"), json); }
Result<std::string> RunDirectory::read_run_json() const { return read_whole(file("run.json"), report::kMaxRunJsonBytes); }

Result<void> RunDirectory::write(std::string_view name, std::string_view content) const {
  if (!inside(name)) return fail(ErrorKind::kUsage, fmt::format("{} is not inside the run directory", name));
  if (auto made = make_private(fs::path(file(name)).parent_path()); !made) return made;
  return replace_file(file(name), content);
}

Result<std::string> RunDirectory::read(std::string_view name, size_t limit) const {
  if (!inside(name)) return fail(ErrorKind::kUsage, fmt::format("{} is not inside the run directory", name));
  return read_whole(file(name), limit);
}

Result<void> link_latest(const std::string& runs, const std::string& run_name) {
  const std::string temporary = runs + "/.latest." + run_name;
  ::unlink(temporary.c_str());
  if (::symlink(run_name.c_str(), temporary.c_str()) != 0 || ::rename(temporary.c_str(), (runs + "/latest").c_str()) != 0) {
    return fail(ErrorKind::kEnvironment, runs + "/latest cannot be linked", std::strerror(errno));
  }
  return {};
}

Result<std::vector<std::string>> prune_runs(const std::string& runs, const KeepRuns& keep) {
  struct Run {
    std::string name;
    int64_t modified_unix_nanos = 0;
    bool passed = false;
  };
  std::vector<Run> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(runs, error)) {
    // Only what is a run of ours: a real directory with a scenario.yaml.
    if (entry.is_symlink() || !entry.is_directory() || !fs::exists(entry.path() / "scenario.yaml")) continue;
    struct stat status {};
    if (::stat(entry.path().c_str(), &status) != 0) continue;
    Run run{entry.path().filename().string(), int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec, false};
    if (const auto text = read_whole((entry.path() / "run.json").string(), report::kMaxRunJsonBytes)) {
      const auto result = report::from_json(*text);
      run.passed = result && result->verdict == Verdict::kPass;
    }
    found.push_back(std::move(run));
  }
  if (error) return fail(ErrorKind::kEnvironment, runs + " cannot be listed", error.message());
  std::sort(found.begin(), found.end(), [](const Run& a, const Run& b) {
    return a.modified_unix_nanos != b.modified_unix_nanos ? a.modified_unix_nanos > b.modified_unix_nanos : a.name > b.name;
  });
  std::vector<std::string> removed;
  for (size_t i = keep.newest; i < found.size(); ++i) {
    const bool young_failure = !found[i].passed && keep.now_unix_nanos - found[i].modified_unix_nanos < keep.failing_nanos;
    const bool named = std::find(keep.always.begin(), keep.always.end(), found[i].name) != keep.always.end();
    if (young_failure || named) continue;
    fs::remove_all(fs::path(runs) / found[i].name, error);
    if (!error) removed.push_back(found[i].name);
  }
  return removed;
}

}  // namespace hopcheck::store

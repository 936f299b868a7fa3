#include "store/run_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
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
// A directory is a run's when it holds one of these.
constexpr const char* kRunFiles[] = {"scenario.yaml", "run.json", "ledger.jsonl", "capture.hcl", "phases.jsonl"};

bool is_directory(const std::string& path) {  // and no link to one
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_run(const std::string& path) {
  return std::any_of(std::begin(kRunFiles), std::end(kRunFiles), [&](const char* name) {
    struct stat status {};
    return ::lstat((path + "/" + name).c_str(), &status) == 0 && S_ISREG(status.st_mode);
  });
}

// Makes `path` and its missing parents, each 0700. The last one may exist, but not as a link.
Result<void> make_private(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  std::error_code error;
  if (!parent.empty() && !fs::is_directory(parent, error)) {
    if (auto made = make_private(parent); !made) return made;
  }
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  const int code = errno;
  if (code == EEXIST && is_directory(path)) return {};
  return fail(ErrorKind::kEnvironment, path + " cannot be made", std::strerror(code), "name another --out");
}

// A name below the run directory.
bool inside(std::string_view name) {
  if (name.empty() || name[0] == '/' || name.find('\0') != std::string_view::npos) return false;
  for (const fs::path& part : fs::path(name)) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

}  // namespace

Result<RunDirectory> RunDirectory::create(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (fs::exists(status) && (!fs::is_directory(status) || !fs::is_empty(path, error))) {
    return fail(ErrorKind::kUsage, path + " exists and is not empty", "a run never writes over another one",
                "name another --out");
  }
  for (const char* part : {"", "/reports", "/logs"}) {
    if (auto made = make_private(path + part); !made) return tl::unexpected(made.error());
  }
  ::chmod(path.c_str(), 0700);  // an empty directory that was there already
  return RunDirectory(path);
}

Result<RunDirectory> RunDirectory::open(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {  // the argument itself may be a link: reports/runs/latest
    return fail(ErrorKind::kUsage, path + " is no run directory", "there is no such directory",
                "hopcheck check reports/runs/latest");
  }
  if (!is_run(path)) {
    return fail(ErrorKind::kUsage, path + " is no run directory", "it holds neither scenario.yaml nor run.json",
                "hopcheck check reports/runs/latest");
  }
  return RunDirectory(path);
}

std::string RunDirectory::file(std::string_view name) const { return path_ + "/" + std::string(name); }

bool RunDirectory::has(std::string_view name) const {
  struct stat status {};
  return ::lstat(file(name).c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

Result<void> RunDirectory::write(std::string_view name, std::string_view content) const {
  if (!inside(name)) return fail(ErrorKind::kUsage, fmt::format("{} is not inside the run directory", name));
  std::string parent = path_;
  for (const fs::path& part : fs::path(name).parent_path()) {
    parent += "/" + part.string();
    if (auto made = make_private(parent); !made) return made;
  }
  return replace_file(file(name), content);
}

Result<std::string> RunDirectory::read(std::string_view name, size_t limit) const {
  if (!inside(name)) return fail(ErrorKind::kUsage, fmt::format("{} is not inside the run directory", name));
  return read_whole(file(name), limit);
}

Result<void> RunDirectory::write_ledger(const std::vector<LedgerEntry>& entries) const {
  return write("ledger.jsonl", ledger_to_jsonl(entries));
}

Result<std::vector<LedgerEntry>> RunDirectory::read_ledger() const {
  const auto text = read("ledger.jsonl", kMaxLedgerBytes);
  if (!text) return tl::unexpected(text.error());
  return ledger_from_text(*text, file("ledger.jsonl"));
}

Result<void> RunDirectory::write_environment(const Environment& environment) const {
  return write("environment.json", report::environment_to_json(environment));
}

Result<Environment> RunDirectory::read_environment() const {
  const auto text = read("environment.json", kMaxSmallFile);
  if (!text) return tl::unexpected(text.error());
  auto environment = report::environment_from_json(*text);
  if (!environment) return with_context(environment.error(), file("environment.json"));
  return environment;
}

Result<void> RunDirectory::append_phase(const PhaseStep& step) const {
  return append_file(file("phases.jsonl"), report::phase_to_json(step) + "\n");
}

Result<std::vector<PhaseStep>> RunDirectory::read_phases() const {
  const auto text = read("phases.jsonl", kMaxSmallFile);
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

Result<void> RunDirectory::write_scenario(std::string_view yaml) const { return write("scenario.yaml", yaml); }
Result<std::string> RunDirectory::read_scenario() const { return read("scenario.yaml", kMaxSmallFile); }
Result<void> RunDirectory::write_findings(std::string_view jsonl) const { return write("findings.jsonl", jsonl); }
Result<void> RunDirectory::write_run_json(std::string_view json) const { return write("run.json", json); }
Result<std::string> RunDirectory::read_run_json() const { return read("run.json", report::kMaxRunJsonBytes); }

Result<void> link_latest(const std::string& runs, const std::string& run_name) {
  if (!inside(run_name) || run_name.find('/') != std::string::npos) {
    return fail(ErrorKind::kUsage, run_name + " is no name of a run");
  }
  const std::string link = runs + "/latest", temporary = fmt::format("{}/.latest.{}", runs, getpid());
  struct stat status {};
  if (::lstat(link.c_str(), &status) == 0 && !S_ISLNK(status.st_mode)) {
    return fail(ErrorKind::kEnvironment, link + " cannot be linked", "it exists and is no symbolic link",
                "move it away");
  }
  ::unlink(temporary.c_str());
  if (::symlink(run_name.c_str(), temporary.c_str()) != 0 || ::rename(temporary.c_str(), link.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return fail(ErrorKind::kEnvironment, link + " cannot be linked", std::strerror(error));
  }
  return {};
}

namespace {

// Only the beginning is read: the verdict is run.json's second key, and there may be hundreds of runs.
bool passed(const std::string& run) {
  constexpr size_t kHead = 4096;
  std::FILE* file = std::fopen((run + "/run.json").c_str(), "rb");
  if (file == nullptr) return false;  // a run that never came to a verdict counts as failing
  std::string head(kHead, '\0');
  head.resize(std::fread(head.data(), 1, kHead, file));
  std::fclose(file);
  const size_t key = head.find("\"verdict\"");
  const size_t value = key == std::string::npos ? key : head.find('"', key + 9);
  return value != std::string::npos && head.substr(value, 6) == "\"pass\"";
}

struct StoredRun {
  std::string name;
  int64_t modified_unix_nanos = 0;
};

// The real directories with a run's files in them, newest first.
Result<std::vector<StoredRun>> stored_runs(const std::string& runs) {
  std::vector<StoredRun> found;
  std::error_code error;
  if (!fs::is_directory(runs, error)) return found;
  fs::directory_iterator entry(runs, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string path = entry->path().string();
    struct stat status {};
    if (!is_directory(path) || !is_run(path) || ::lstat(path.c_str(), &status) != 0) continue;
    found.push_back(
        {entry->path().filename().string(), int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec});
  }
  if (error) return fail(ErrorKind::kEnvironment, runs + " cannot be listed", error.message());
  std::sort(found.begin(), found.end(), [](const StoredRun& a, const StoredRun& b) {
    return a.modified_unix_nanos != b.modified_unix_nanos ? a.modified_unix_nanos > b.modified_unix_nanos
                                                          : a.name > b.name;
  });
  return found;
}

}  // namespace

Result<std::vector<std::string>> prune_runs(const std::string& runs, const KeepRuns& keep) {
  const auto found = stored_runs(runs);
  if (!found) return tl::unexpected(found.error());
  std::vector<std::string> removed;
  for (size_t i = keep.newest; i < found->size(); ++i) {
    const StoredRun& run = (*found)[i];
    const bool named = std::find(keep.always.begin(), keep.always.end(), run.name) != keep.always.end();
    const bool young = keep.now_unix_nanos - run.modified_unix_nanos < keep.failing_nanos;
    if (named || (young && !passed(runs + "/" + run.name))) continue;
    std::error_code error;
    fs::remove_all(runs + "/" + run.name, error);
    if (!error) removed.push_back(run.name);
  }
  std::sort(removed.begin(), removed.end());
  return removed;
}

}  // namespace hopcheck::store

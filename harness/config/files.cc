#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <utility>

#include "config/parts.h"
#include "config/walkthrough.h"

namespace hopcheck::config {
namespace {

namespace fs = std::filesystem;

// Reads at most one byte more than parse_yaml takes, so that a device or a huge file cannot fill memory.
Loaded<std::string> read_file(const std::string& path) {
  const auto failed = [&](const std::string& why) {
    return tl::unexpected(std::vector<Problem>{{path, 0, 0, "cannot read: " + why}});
  };
  std::error_code error;
  if (!fs::exists(path, error)) return failed("no such file");
  if (!fs::is_regular_file(path, error)) return failed("not a regular file");
  std::ifstream in(path, std::ios::binary);
  if (!in) return failed(std::strerror(errno));
  std::string text(kMaxBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return failed("input error");
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

bool is_path(const std::string& ref) {
  return ref.find('/') != std::string::npos || fs::path(ref).extension() == ".yaml" ||
         fs::path(ref).extension() == ".yml";
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// A path is tried relative to the referring file, then to the share root; a name in the given folder of the share root.
std::string resolve(const std::string& ref, const std::string& from_file, const SearchPath& search,
                    const std::string& folder) {
  if (!is_path(ref)) return (fs::path(search.share) / folder / (ref + ".yaml")).lexically_normal().string();
  const fs::path path(ref);
  if (path.is_absolute()) return path.string();
  const fs::path beside = (fs::path(from_file).parent_path() / path).lexically_normal();
  if (is_there(beside)) return beside.string();
  const fs::path shared = (fs::path(search.share) / path).lexically_normal();
  return is_there(shared) ? shared.string() : beside.string();
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".yaml") names.push_back(it->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string to_text(const std::vector<Problem>& problems) {
  std::string out;
  for (const Problem& problem : problems) {
    out += problem.line > 0 ? fmt::format("{}:{}:{}: {}\n", problem.file, problem.line, problem.column, problem.message)
                            : fmt::format("{}: {}\n", problem.file, problem.message);
  }
  return out;
}

namespace {

// Place of the word in the text, 1-based; the first line when it is not there.
std::pair<int, int> place_of(const std::string& text, const std::string& word) {
  const size_t at = std::min(text.find(word), text.size());
  if (at == text.size()) return {1, 1};
  const size_t line = text.rfind('\n', at) + 1;  // npos + 1 = 0
  return {static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n')) + 1,
          static_cast<int>(at - line) + 1};
}

// Looks up what the services with instrumentation auto name. `text`, `file`: where the topology stands.
std::vector<Problem> resolve_instrumentations(Topology& topology, const std::string& text, const std::string& file,
                                              const SearchPath& search) {
  std::vector<Problem> problems;
  const fs::path folder = fs::path(search.share) / "fixtures/instrumentation";
  for (const Service& service : topology.services) {
    if (service.sdk.empty() || topology.instrumentations.find(service.sdk) != nullptr) continue;
    const std::string path = (folder / (service.sdk + ".yaml")).string();
    if (!is_there(path)) {
      const auto best = nearest(service.sdk, names_in(folder));
      const auto [line, column] = place_of(text, service.sdk);
      problems.push_back({file, line, column,
                          fmt::format("service {}: no instrumentation \"{}\"{}", service.name, service.sdk,
                                      best ? fmt::format("; did you mean \"{}\"?", *best) : "")});
      continue;
    }
    const auto content = read_file(path);
    auto one = content ? parse_instrumentation(*content, path)
                       : Loaded<AppInstrumentation>(tl::unexpected(content.error()));
    if (one) topology.instrumentations.known.push_back(std::move(*one));
    else problems.insert(problems.end(), one.error().begin(), one.error().end());
  }
  return problems;
}

}  // namespace

Loaded<Topology> load_topology(const std::string& ref, const std::string& from_file, const SearchPath& search) {
  const std::string path = resolve(ref, from_file, search, "fixtures/topologies");
  const auto text = read_file(path);
  if (text) {
    auto topology = parse_topology(*text, path);
    if (!topology) return topology;
    auto unknown = resolve_instrumentations(*topology, *text, path, search);
    if (!unknown.empty()) return tl::unexpected(std::move(unknown));
    return topology;
  }
  std::vector<Problem> problems = text.error();
  if (!is_path(ref)) {
    const std::vector<std::string> names = names_in(fs::path(search.share) / "fixtures/topologies");
    const auto best = ref.size() > 64 ? std::nullopt : nearest(ref, names);
    if (best) problems[0].message += fmt::format("; did you mean topology \"{}\"?", *best);
  }
  return tl::unexpected(problems);
}

namespace {

// The scenario's topology and profile, and the checks that need them; `text` is the scenario's file.
void resolve_scenario(ScenarioDraft& draft, const std::string& text, const SearchPath& search, Problems& problems,
                      std::vector<Problem>& others) {
  Scenario& scenario = draft.scenario;
  if (draft.has_topology) {
    for (Problem& problem : resolve_instrumentations(scenario.topology, text, problems.file(), search))
      others.push_back(std::move(problem));
  }
  if (!draft.has_topology && !scenario.topology_ref.empty()) {
    auto topology = load_topology(scenario.topology_ref, problems.file(), search);
    if (topology) {
      scenario.topology = std::move(*topology);
      check_uses(draft, problems);
    } else {
      for (Problem& problem : topology.error()) {
        if (problem.line == 0)
          problems.add(draft.ref_line, draft.ref_column, "spec.topology: " + problem.file + ": " + problem.message);
        else others.push_back(std::move(problem));
      }
    }
  }
  const std::vector<std::string> profiles = names_in(fs::path(search.share) / "fixtures/profiles");
  if (scenario.profile != "auto" && !profiles.empty() &&
      std::find(profiles.begin(), profiles.end(), scenario.profile) == profiles.end()) {
    const auto best = scenario.profile.size() > 64 ? std::nullopt : nearest(scenario.profile, profiles);
    problems.add(draft.ref_line, draft.ref_column,
                 fmt::format("spec.profile: no profile \"{}\"{}", printable(scenario.profile),
                             best ? fmt::format("; did you mean \"{}\"?", *best) : ""));
  }
}

std::vector<Problem> merged(const Problems& problems, const std::vector<Problem>& others) {
  std::vector<Problem> out = problems.sorted();
  out.insert(out.end(), others.begin(), others.end());
  return out;
}

// An entry's scenario file: a path as everywhere, a name is NAME.yaml beside the suite.
std::string scenario_path(const std::string& ref, const std::string& suite_file, const SearchPath& search) {
  if (is_path(ref)) return resolve(ref, suite_file, search, "");
  return (fs::path(suite_file).parent_path() / (ref + ".yaml")).lexically_normal().string();
}

}  // namespace

Loaded<Scenario> load_scenario(const std::string& path, const SearchPath& search) {
  const auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  Problems problems(path);
  std::vector<Problem> others;
  ScenarioDraft draft;
  const std::vector<Node> documents = parse_yaml(*text, problems);
  if (documents.size() > 1) problems.add(documents[1], "expected one document");
  if (!documents.empty()) {
    const auto head = read_head(documents[0], "Scenario", problems);
    if (head && head->spec) {
      draft = read_scenario(head->name, head->spec, problems);
      resolve_scenario(draft, *text, search, problems, others);
    }
  }
  if (!problems.empty() || !others.empty()) return tl::unexpected(merged(problems, others));
  return draft.scenario;
}

Loaded<InjectionSuite> load_injection_suite(const std::string& path, const SearchPath& search) {
  const auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  auto suite = parse_injection_suite(*text, path);
  if (!suite) return suite;
  std::vector<Problem> problems;
  const auto resolve = [&](std::string& ref) {
    if (ref.empty()) return;
    ref = scenario_path(ref, path, search);
    const auto scenario = load_scenario(ref, search);
    if (!scenario) problems.insert(problems.end(), scenario.error().begin(), scenario.error().end());
  };
  resolve(suite->scenario);
  for (Injection& one : suite->injections) resolve(one.scenario);
  if (!problems.empty()) return tl::unexpected(problems);
  return suite;
}

Loaded<Suite> load_suite(const std::string& path, const SearchPath& search) {
  const auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  Problems problems(path);
  std::vector<Problem> others;
  SuiteDraft draft = read_suite(parse_yaml(*text, problems), problems);
  for (ScenarioDraft& embedded : draft.embedded) resolve_scenario(embedded, *text, search, problems, others);
  std::vector<std::string> names;
  for (size_t i = 0; i < draft.suite.entries.size(); ++i) {
    SuiteEntry& entry = draft.suite.entries[i];
    const SuiteDraft::Place place = draft.places[i];
    const auto found = std::find_if(draft.embedded.begin(), draft.embedded.end(),
                                    [&](const ScenarioDraft& one) { return one.scenario.name == entry.scenario_ref; });
    if (found != draft.embedded.end()) {
      entry.scenario = found->scenario;
    } else if (!entry.scenario_ref.empty()) {
      auto scenario = load_scenario(scenario_path(entry.scenario_ref, path, search), search);
      if (!scenario) {
        for (Problem& problem : scenario.error()) {
          if (problem.line == 0) problems.add(place.line, place.column, problem.file + ": " + problem.message);
          else others.push_back(std::move(problem));
        }
        continue;
      }
      entry.scenario = std::move(*scenario);
    }
    const bool listed_before =
        std::any_of(draft.suite.entries.begin(), draft.suite.entries.begin() + static_cast<long>(i),
                    [&](const SuiteEntry& other) { return other.scenario_ref == entry.scenario_ref; });
    if (!listed_before && std::find(names.begin(), names.end(), entry.scenario.name) != names.end()) {
      problems.add(place.line, place.column,
                   fmt::format("two scenarios are named \"{}\"", printable(entry.scenario.name)));
    }
    names.push_back(entry.scenario.name);
    if ((entry.expect_verdict == "drawn") != entry.scenario.inject_random) {
      problems.add(place.line, place.column, "verdict drawn and the scenario's injectRandom belong together");
    }
  }
  if (!problems.empty() || !others.empty()) return tl::unexpected(merged(problems, others));
  return draft.suite;
}

namespace {

// Texts of a folder's files by name, each read once.
class FolderTexts {
 public:
  explicit FolderTexts(fs::path folder) : folder_(std::move(folder)) {}
  std::optional<std::string> operator()(const std::string& name) {
    if (name.find('/') != std::string::npos) return std::nullopt;
    const auto known = texts_.find(name);
    if (known != texts_.end()) return known->second;
    const auto text = read_file((folder_ / (name + ".yaml")).string());
    return texts_.emplace(name, text ? std::optional<std::string>(*text) : std::nullopt).first->second;
  }

 private:
  const fs::path folder_;
  std::map<std::string, std::optional<std::string>> texts_;
};

// Spans and versions are bound to profiles by these, so each may stand in one file only.
void refuse_twins(const std::vector<MeshProfile>& profiles, const fs::path& folder, std::vector<Problem>& problems) {
  for (size_t i = 0; i < profiles.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (profiles[i].istio_minor != profiles[j].istio_minor && profiles[i].envoy_minor != profiles[j].envoy_minor)
        continue;
      problems.push_back({(folder / (profiles[i].name + ".yaml")).string(), 1, 1,
                          fmt::format("istioMinor {} or envoyMinor {} is profile {}'s already", profiles[i].istio_minor,
                                      profiles[i].envoy_minor, profiles[j].name)});
    }
  }
}

}  // namespace

Loaded<MeshProfile> load_profile(const std::string& path, const SearchPath& search) {
  const auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  FolderTexts texts(fs::path(search.share) / "fixtures/profiles");
  return parse_profile(*text, path, [&](const std::string& name) { return texts(name); });
}

Loaded<std::vector<MeshProfile>> load_profiles(const SearchPath& search) {
  const fs::path folder = fs::path(search.share) / "fixtures/profiles";
  FolderTexts texts(folder);
  std::vector<MeshProfile> profiles;
  std::vector<Problem> problems;
  for (const std::string& name : names_in(folder)) {
    const std::string path = (folder / (name + ".yaml")).string();
    const auto text = read_file(path);
    auto profile = text ? parse_profile(*text, path, [&](const std::string& base) { return texts(base); })
                        : Loaded<MeshProfile>(tl::unexpected(text.error()));
    if (!profile) {
      problems.insert(problems.end(), profile.error().begin(), profile.error().end());
    } else if (profile->name != name) {
      problems.push_back({path, 1, 1, fmt::format("metadata.name: expected {} as the file is called", name)});
    } else {
      profiles.push_back(std::move(*profile));
    }
  }
  refuse_twins(profiles, folder, problems);
  if (problems.empty() && profiles.empty()) problems.push_back({folder.string(), 0, 0, "no mesh profile found"});
  if (!problems.empty()) return tl::unexpected(problems);
  return profiles;
}

Loaded<ConformanceRows> load_rows(const SearchPath& search) {
  const std::string path = (fs::path(search.share) / "fixtures/rows.yaml").string();
  const auto text = read_file(path);
  return text ? parse_rows(*text, path) : Loaded<ConformanceRows>(tl::unexpected(text.error()));
}

Loaded<Walkthrough> load_walkthrough(const std::string& path) {
  const auto text = read_file(path);
  return text ? parse_walkthrough(*text, path) : Loaded<Walkthrough>(tl::unexpected(text.error()));
}

std::string kind_of_file(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return "";
  Problems ignored(path);
  const std::vector<Node> documents = parse_yaml(*text, ignored);
  if (documents.empty() || documents[0].kind != Node::Kind::kMap) return "";
  const std::vector<Node>& items = documents[0].items;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].text == "kind" && items[i + 1].kind == Node::Kind::kScalar) return items[i + 1].text;
  }
  return "";
}

}  // namespace hopcheck::config

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "config/parts.h"

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
  return ref.find('/') != std::string::npos || fs::path(ref).extension() == ".yaml" || fs::path(ref).extension() == ".yml";
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// A path is tried relative to the referring file, then to the share root; a name in the given folder of the share root.
std::string resolve(const std::string& ref, const std::string& from_file, const SearchPath& search, const std::string& folder) {
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

Loaded<Topology> load_topology(const std::string& ref, const std::string& from_file, const SearchPath& search) {
  const std::string path = resolve(ref, from_file, search, "fixtures/topologies");
  const auto text = read_file(path);
  if (text) return parse_topology(*text, path);
  std::vector<Problem> problems = text.error();
  if (!is_path(ref)) {
    const std::vector<std::string> names = names_in(fs::path(search.share) / "fixtures/topologies");
    const auto best = ref.size() > 64 ? std::nullopt : nearest(ref, names);
    if (best) problems[0].message += fmt::format("; did you mean topology \"{}\"?", *best);
  }
  return tl::unexpected(problems);
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

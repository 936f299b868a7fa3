#include "mesh/images.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/text.h"

namespace hopcheck::mesh {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 20;

class Checker {
 public:
  explicit Checker(std::string file) : file_(std::move(file)) {}

  void problem(const YAML::Mark& mark, const std::string& message) {
    problems_.push_back(file_ + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": " +
                        message);
  }

  // False when `node` is no mapping. Unknown and repeated keys are problems.
  bool fields(const YAML::Node& node, const std::string& where, const std::vector<std::string>& known) {
    if (!node.IsMap()) {
      problem(node.Mark(), where + " must be a mapping");
      return false;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (!seen.insert(key).second) problem(entry.first.Mark(), "field \"" + key + "\" is given twice in " + where);
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::optional<std::string> close = nearest(key, known);
      problem(entry.first.Mark(), "unknown field \"" + printable(key) + "\" in " + where +
                                      (close ? "; did you mean \"" + *close + "\"?" : ""));
    }
    return true;
  }

  // Leaves `out` alone when the field is absent.
  void text(const YAML::Node& parent, const char* key, std::string& out) {
    const YAML::Node node = parent[key];
    if (!node) return;
    if (!node.IsScalar() || node.Scalar().empty()) return problem(node.Mark(), std::string(key) + " must be text");
    if (node.Scalar().find_first_of("<> \t\n") != std::string::npos) {
      return problem(node.Mark(), std::string(key) + ": \"" + printable(node.Scalar()) +
                                      "\" looks like a placeholder that was left in");
    }
    out = node.Scalar();
  }

  void text_map(const YAML::Node& parent, const char* key, std::map<std::string, std::string>& out) {
    const YAML::Node node = parent[key];
    if (!node) return;
    if (!node.IsMap()) return problem(node.Mark(), std::string(key) + " must be a mapping of names to text");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string name = entry.first.Scalar();
      if (!seen.insert(name).second)
        problem(entry.first.Mark(), "\"" + printable(name) + "\" is given twice in " + key);
      if (!entry.second.IsScalar() || entry.second.Scalar().empty()) {
        problem(entry.second.Mark(), std::string(key) + "." + printable(name) + " must be text");
      } else {
        out[name] = entry.second.Scalar();
      }
    }
  }

  Result<void> result() const {
    if (problems_.empty()) return {};
    std::string rest;
    for (size_t i = 1; i < problems_.size(); ++i) rest += (i == 1 ? "" : "; ") + problems_[i];
    return fail(ErrorKind::kUsage, problems_[0], rest, "correct the images file");
  }

 private:
  std::string file_;
  std::vector<std::string> problems_;
};

std::string resolve(const std::string& path, const std::string& folder) {
  if (path.empty() || path[0] == '/') return path;
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

void read_versions(Checker& check, const YAML::Node& list, const std::string& folder, Images& images) {
  if (!list.IsSequence()) return check.problem(list.Mark(), "spec.istio.versions must be a list");
  images.versions.clear();
  for (const YAML::Node& item : list) {
    if (!check.fields(item, "spec.istio.versions[]", {"version", "tag", "hub", "istioctl", "overlay"})) continue;
    IstioVersion version;
    check.text(item, "version", version.version);
    check.text(item, "tag", version.tag);
    check.text(item, "hub", version.hub);
    check.text(item, "istioctl", version.istioctl);
    check.text(item, "overlay", version.overlay);
    if (version.version.empty()) check.problem(item.Mark(), "an Istio version needs the field \"version\"");
    if (version.tag.empty()) version.tag = version.version;
    version.istioctl = resolve(version.istioctl, folder);
    version.overlay = resolve(version.overlay, folder);
    images.versions.push_back(version);
  }
}

void read_istio(Checker& check, const YAML::Node& node, const std::string& folder, Images& images) {
  if (!check.fields(node, "spec.istio", {"hub", "tag", "overlay", "versions"})) return;
  check.text(node, "hub", images.hub);
  check.text(node, "tag", images.tag);
  if (node["overlay"]) {
    check.text(node, "overlay", images.overlay);
    images.overlay = resolve(images.overlay, folder);
  }
  if (node["versions"]) read_versions(check, node["versions"], folder, images);
}

void read_roles(Checker& check, const YAML::Node& spec, bool is_default, Images& images) {
  std::map<std::string, std::string> roles;
  check.text_map(spec, "images", roles);
  for (const auto& [role, reference] : roles) {
    images.roles[role] = reference;
    images.wishes.erase(std::remove(images.wishes.begin(), images.wishes.end(), role), images.wishes.end());
    if (is_default) images.wishes.push_back(role);
  }
}

void read_spec(Checker& check, const YAML::Node& spec, const ImagesSource& source, Images& images) {
  if (!check.fields(spec, "spec", {"node", "istio", "collector", "images", "pullPolicy", "tools", "unverified"}))
    return;
  check.text(spec, "node", images.node);
  check.text(spec, "collector", images.collector);
  if (spec["istio"]) read_istio(check, spec["istio"], source.folder, images);
  read_roles(check, spec, source.is_default, images);
  check.text_map(spec, "tools", images.tools);
  check.text(spec, "pullPolicy", images.pull_policy);
  const std::vector<std::string> policies{"Always", "IfNotPresent", "Never"};
  if (std::find(policies.begin(), policies.end(), images.pull_policy) == policies.end()) {
    check.problem(spec["pullPolicy"].Mark(), "pullPolicy must be Always, IfNotPresent or Never");
  }
  if (!source.is_default) {  // an override's pins are its author's business
    for (const char* name : {"node", "istio", "collector", "images", "tools"}) {
      if (spec[name])
        images.unverified.erase(std::remove(images.unverified.begin(), images.unverified.end(), name),
                                images.unverified.end());
    }
  }
  const YAML::Node unverified = spec["unverified"];
  if (!unverified) return;
  if (!unverified.IsSequence()) return check.problem(unverified.Mark(), "unverified must be a list of names");
  images.unverified.clear();
  for (const YAML::Node& name : unverified) {
    if (name.IsScalar()) images.unverified.push_back(name.Scalar());
    if (!name.IsScalar()) check.problem(name.Mark(), "unverified must be a list of names");
  }
}

Result<std::string> read_text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return fail(ErrorKind::kUsage, "cannot read the images file " + file, "",
                "give an existing file to --images or HOPCHECK_IMAGES");
  }
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kMaxFileBytes) return fail(ErrorKind::kUsage, "images file " + file + " is larger than 1 MiB");
  return text;
}

}  // namespace

Result<void> merge_images(Images& images, const ImagesSource& source) {
  Checker check(source.file);
  try {
    const YAML::Node document = YAML::Load(source.text);
    if (!check.fields(document, "the file", {"apiVersion", "kind", "metadata", "spec"})) return check.result();
    std::string version, kind;
    check.text(document, "apiVersion", version);
    check.text(document, "kind", kind);
    if (version != "hopcheck.dev/v1alpha1") check.problem(document.Mark(), "apiVersion must be hopcheck.dev/v1alpha1");
    if (kind != "Images") check.problem(document.Mark(), "kind must be Images");
    if (!document["spec"]) {
      check.problem(document.Mark(), "field \"spec\" is missing");
    } else {
      read_spec(check, document["spec"], source, images);
    }
  } catch (const YAML::Exception& error) {
    check.problem(error.mark, "not YAML: " + error.msg);
  }
  images.files.push_back(source.file);
  return check.result();
}

Result<Images> load_images(const std::string& default_file, const std::string& override_file,
                           const std::map<std::string, std::string>& role_overrides) {
  Images images;
  std::string second = override_file;
  if (const char* from_env = std::getenv("HOPCHECK_IMAGES"); second.empty() && from_env != nullptr) second = from_env;
  for (const std::string& file : {default_file, second}) {
    if (file.empty()) continue;
    const Result<std::string> text = read_text(file);
    if (!text) return tl::unexpected<Error>(text.error());
    const std::string folder = std::filesystem::absolute(file).parent_path().string();
    const Result<void> merged = merge_images(images, {*text, file, folder, file == default_file});
    if (!merged) return tl::unexpected<Error>(merged.error());
  }
  for (const auto& [role, reference] : role_overrides) {
    if (role == "pilot" || role == "proxyv2" || role == "istio") {
      return fail(ErrorKind::kUsage, "--image " + role + "=... cannot be used",
                  "Istio's images go together with its istioctl",
                  "add a version to spec.istio.versions of an images file: --images FILE");
    }
    if (role == "node") {
      images.node = reference;
    } else if (role == "collector") {
      images.collector = reference;
    } else {
      images.roles[role] = reference;
      images.wishes.erase(std::remove(images.wishes.begin(), images.wishes.end(), role), images.wishes.end());
    }
  }
  for (const auto& [name, value] : {std::pair{"node", images.node},
                                    {"collector", images.collector},
                                    {"istio.hub", images.hub},
                                    {"istio.tag", images.tag}}) {
    if (value.empty())
      return fail(ErrorKind::kUsage, std::string("images file: spec.") + name + " is missing",
                  "read: " + default_file + " " + second);
  }
  return images;
}

Result<IstioVersion> select_istio(const Images& images, const std::string& prefix) {
  const std::string wanted = prefix.empty() ? images.tag : prefix;
  std::string known;
  for (IstioVersion version : images.versions) {
    known += (known.empty() ? "" : ", ") + version.version;
    if (!starts_with_dotted(version.version, wanted)) continue;
    if (version.hub.empty()) version.hub = images.hub;
    if (version.overlay.empty()) version.overlay = images.overlay;
    return version;
  }
  if (prefix.empty() || starts_with_dotted(images.tag, prefix)) {
    return IstioVersion{images.tag, images.tag, images.hub, "", images.overlay};
  }
  return fail(ErrorKind::kEnvironment, "unknown Istio version " + printable(prefix),
              "the images file knows " + (known.empty() ? images.tag : known),
              "pick one of them with --istio, or add it to spec.istio.versions of " +
                  (images.files.empty() ? "the images file" : images.files.back()));
}

std::string pilot_image(const IstioVersion& istio) { return istio.hub + "/pilot:" + istio.tag; }
std::string proxy_image(const IstioVersion& istio) { return istio.hub + "/proxyv2:" + istio.tag; }

}  // namespace hopcheck::mesh

#include "otelcol/objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "otelcol/breakages.h"
#include "otelcol/rewrite.h"

namespace hopcheck::otelcol {
namespace {

constexpr const char* kInject = "sidecar.istio.io/inject";
constexpr std::string_view kConfigFlag = "--config=";

Finding make(const Node& at, const char* id, Effect effect, std::string what, std::string fix, const char* row) {
  Finding finding;
  finding.id = id;
  finding.effect = effect;
  finding.line = at.line;
  finding.column = at.column;
  finding.what = std::move(what);
  finding.fix = std::move(fix);
  finding.row = row;
  return finding;
}

class Objects {
 public:
  Objects(const Manifest& manifest, const Version& target)
      : manifest_(manifest),
        target_(target),
        workload_(workload(manifest)),
        container_(collector_container(workload_)) {}

  std::vector<Finding> run() {
    service();
    if (workload_ != nullptr) {
      sidecar();
      container();
      mount();
    }
    return std::move(out_);
  }

 private:
  template <class... Args>
  void add(Args&&... args) {
    out_.push_back(make(std::forward<Args>(args)...));
  }

  void service() {
    const Node* service = object(manifest_, "Service");
    if (service == nullptr) return;
    const Node* selector = at(service, {"spec", "selector"});
    const Node* labels = at(workload_, {"spec", "template", "metadata", "labels"});
    for (const Field& field : fields(selector)) {
      if (workload_ == nullptr || text(labels, field.key->text) == text(field.value)) continue;
      add(*field.key, "selector", Effect::kMissing,
          fmt::format("the Service selects `{}: {}`, which the Collector's pods do not carry",
                      printable(field.key->text), printable(text(field.value))),
          "the same label in the pod template", "M-31");
    }
    std::vector<int> listening;
    for (const Configuration& configuration : manifest_.configurations) {
      for (const int port : listening_ports(configuration)) listening.push_back(port);
    }
    for (const Node* port : items(at(service, {"spec", "ports"}))) {
      const Node* target = value(port, "targetPort");
      const int number = port_of(":" + text(target != nullptr ? target : value(port, "port")));
      if (number == 0 || std::find(listening.begin(), listening.end(), number) != listening.end()) continue;
      add(*port, "port-unserved", Effect::kNote,
          fmt::format("the Service's port {} leads to {}, where this configuration has no receiver: connections are "
                      "refused",
                      printable(text(port, "port")), number),
          "", "M-31");
    }
  }

  void sidecar() {
    const Node* metadata = at(workload_, {"spec", "template", "metadata"});
    const Node* inject = at(metadata, {"labels", kInject});
    if (inject != nullptr && !inject->quoted && inject->text == "false") {
      add(*inject, "label-not-text", Effect::kRefused,
          fmt::format("the label `{}` is a boolean; the API server takes text only", kInject), "\"false\" in quotes",
          "M-32");
      return;
    }
    if (text(inject) == "false" || text(at(metadata, {"annotations", kInject})) == "false") return;
    const Node* where = key_of(at(workload_, {"spec", "template"}), "metadata");
    add(where != nullptr ? *where : *workload_, "sidecar", Effect::kNote,
        "in an injected namespace the Collector's pod gets a sidecar, which makes spans of each export",
        fmt::format("the pod label {}: \"false\"", kInject), "M-32");
  }

  void container() {
    const Node* image = value(container_, "image");
    const auto tag = image_tag(text(image));
    if (image != nullptr && (!tag || tag->version != target_))
      add(*image, "image-version", Effect::kNote,
          fmt::format("the image is not of Collector {}, which this file is judged for", to_string(target_)), "",
          "M-33");
    if (value(container_, "readinessProbe") == nullptr)
      add(*container_, "no-probe", Effect::kNote,
          "without a readinessProbe the pod is ready before the Collector is",
          "readinessProbe with httpGet on the health check's port, 13133", "M-34");
  }

  // --config=/conf/FILE: which ConfigMap's key stands there.
  void mount() {
    std::vector<const Node*> words = items(value(container_, "command"));
    for (const Node* word : items(value(container_, "args"))) words.push_back(word);
    for (const Node* word : words) {
      const std::string& flag = word->text;
      if (!flag.starts_with(kConfigFlag) || flag.size() == kConfigFlag.size() || flag[kConfigFlag.size()] != '/')
        continue;
      const std::string path = flag.substr(kConfigFlag.size());
      if (provided(path)) continue;
      add(*word, "config-not-mounted", Effect::kMissing,
          fmt::format("the Collector reads {}, which no mounted ConfigMap of this file provides", printable(path)),
          "a volume of the ConfigMap, mounted there, with an item of that name", "M-33");
    }
  }

  bool provided(const std::string& path) const {
    for (const Node* mounted : items(value(container_, "volumeMounts"))) {
      std::string folder = text(mounted, "mountPath");
      if (folder.empty()) continue;
      if (folder.back() != '/') folder += '/';
      if (!path.starts_with(folder)) continue;
      for (const Node* volume : items(at(workload_, {"spec", "template", "spec", "volumes"}))) {
        if (text(volume, "name") == text(mounted, "name") && offers(*volume, path.substr(folder.size()))) return true;
      }
    }
    return false;
  }

  bool offers(const Node& volume, const std::string& file) const {
    const Node* config_map = value(&volume, "configMap");
    const Node* chosen = value(config_map, "items");
    for (const Configuration& configuration : manifest_.configurations) {
      if (configuration.config_map != text(config_map, "name")) continue;
      if (chosen == nullptr && configuration.key == file) return true;
      for (const Node* item : items(chosen)) {
        if (text(item, "key") == configuration.key && text(item, "path") == file) return true;
      }
    }
    return false;
  }

  const Manifest& manifest_;
  Version target_;
  const Node* workload_;
  const Node* container_;
  std::vector<Finding> out_;
};

}  // namespace

std::vector<Finding> find_object_problems(const Manifest& manifest, const Version& target) {
  std::vector<Finding> out = Objects(manifest, target).run();
  sort_findings(out);
  return out;
}

}  // namespace hopcheck::otelcol

#include "otelcol/claims.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "base/text.h"
#include "otelcol/breakages.h"
#include "otelcol/rewrite.h"

namespace hopcheck::otelcol {
namespace {

using Names = std::set<std::string>;

Names named(const Node* list) {
  const auto all = texts(list);
  return {all.begin(), all.end()};
}

std::string joined(const Names& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + printable(name);
  return out.empty() ? "none" : out;
}

class Claims {
 public:
  Claims(const Manifest& manifest, const ClaimContext& context)
      : manifest_(manifest), context_(context), root_(&manifest.configurations.front().root),
        workload_(workload(manifest)), container_(collector_container(workload_)) {}

  std::vector<Finding> run() {
    configuration();
    pipelines();
    token();
    service();
    deployment();
    container();
    namespaces();
    return std::move(out_);
  }

 private:
  // `near`: the closest node that is there; null counts as the file's beginning.
  void require(bool holds, const char* row, const Node* near, const std::string& expected) {
    if (holds) return;
    Finding finding;
    finding.id = "walkthrough";
    finding.effect = Effect::kClaim;
    if (near != nullptr) {
      finding.line = near->line;
      finding.column = near->column;
    }
    finding.what = "the walkthrough has " + expected;
    finding.row = row;
    out_.push_back(std::move(finding));
  }
  void equal(const char* row, const Node* map, std::initializer_list<std::string_view> path,
             const std::string& expected) {
    std::string name;
    const Node* near = map;
    for (const std::string_view key : path) {
      name += (name.empty() ? "" : ".") + std::string(key);
      map = value(map, key);
      if (map != nullptr) near = map;
    }
    require(text(map) == expected, row, near, fmt::format("{}: {}", name, expected));
  }

  // logging or, once it is gone, debug; each is the other's only successor.
  std::string log_exporter() const {
    return value(value(root_, "exporters"), "debug") != nullptr ? "debug" : "logging";
  }
  std::string otlp_exporter() const {
    return value(value(root_, "exporters"), "otlp_grpc") != nullptr ? "otlp_grpc" : "otlp";
  }

  void configuration() {
    const Node* protocols = at(root_, {"receivers", "otlp", "protocols"});
    for (const char* protocol : {"grpc", "http"})
      require(key_of(protocols, protocol) != nullptr, "M-30", protocols,
              fmt::format("an otlp receiver on {}", protocol));
    require(key_of(value(root_, "processors"), "batch") != nullptr, "M-30", value(root_, "processors"),
            "the processor batch");
    const Node* exporters = value(root_, "exporters");
    for (const std::string& name : {otlp_exporter(), log_exporter()})
      require(key_of(exporters, name) != nullptr, "M-30", exporters, "the exporter " + name);
    const Node* health = at(root_, {"extensions", "health_check"});
    const int port = health == nullptr ? 0
                     : value(health, "port") != nullptr ? port_of(":" + text(health, "port"))
                     : value(health, "endpoint") != nullptr ? port_of(text(health, "endpoint"))
                                                            : 13133;
    require(port == 13133, "M-30", health, "a health check on 13133");
    require(holds(at(root_, {"service", "extensions"}), "health_check"), "M-30", value(root_, "service"),
            "health_check among the service's extensions");
  }

  void pipeline(const char* name, const Names& processors, const Names& exporters) {
    const Node* all = at(root_, {"service", "pipelines"});
    const Node* one = value(all, name);
    require(
        named(value(one, "receivers")) == Names{"otlp"} && named(value(one, "processors")) == processors &&
            named(value(one, "exporters")) == exporters,
        "M-30", one != nullptr ? one : all,
        fmt::format("the pipeline {} from otlp, processors {}, to {}", name, joined(processors), joined(exporters)));
  }
  void pipelines() {
    pipeline("traces", {}, {log_exporter(), otlp_exporter()});
    pipeline("logs", {"batch"}, {log_exporter()});
  }

  // An empty one is said by find_breakages; here it is about one that is not there at all.
  void token() {
    const Node* exporter = at(root_, {"exporters", otlp_exporter()});
    if (exporter == nullptr || value(value(exporter, "headers"), context_.token_header) != nullptr) return;
    Finding finding;
    finding.id = "token-missing";
    finding.effect = Effect::kMissing;
    finding.line = exporter->line;
    finding.column = exporter->column;
    finding.what = fmt::format("the exporter to the backend has no header `{}`: the token is missing",
                               context_.token_header);
    finding.fix =
        fmt::format("headers: {{{}: \"${{env:NAME}}\"}}, and the variable from a Secret", context_.token_header);
    finding.row = "M-03";
    out_.push_back(std::move(finding));
  }

  void service() {
    const Node* service = object(manifest_, "Service");
    const Node* ports = at(service, {"spec", "ports"});
    struct Port {
      const char *name, *number;
    };
    for (const Port& wanted :
         {Port{"grpc-opencensus", "55678"}, Port{"grpc-otlp", "4317"}, Port{"http-otlp", "4318"}}) {
      bool found = false;
      for (const Node* port : items(ports)) {
        const std::string target = text(port, "targetPort");
        found = found || (text(port, "name") == wanted.name && text(port, "port") == wanted.number &&
                          (target.empty() || target == wanted.number) &&
                          (value(port, "protocol") == nullptr || text(port, "protocol") == "TCP"));
      }
      require(found, "M-31", ports != nullptr ? ports : service,
              fmt::format("the Service port {} {}/TCP to the same port of the pod", wanted.name, wanted.number));
    }
    equal("M-31", service, {"spec", "selector", "app"}, "opentelemetry-collector");
  }

  void deployment() {
    equal("M-33", workload_, {"kind"}, "Deployment");
    equal("M-32", workload_, {"spec", "template", "metadata", "labels", "sidecar.istio.io/inject"}, "false");
    equal("M-33", workload_, {"spec", "strategy", "type"}, "RollingUpdate");
    equal("M-33", workload_, {"spec", "strategy", "rollingUpdate", "maxSurge"}, "1");
    equal("M-33", workload_, {"spec", "strategy", "rollingUpdate", "maxUnavailable"}, "1");
    equal("M-33", workload_, {"spec", "template", "spec", "terminationGracePeriodSeconds"}, "30");
  }

  void container() {
    const auto tag = image_tag(text(container_, "image"));
    const Node* image = value(container_, "image");
    require(tag && tag->version == context_.version, "M-33", image != nullptr ? image : container_,
            "an image of Collector " + to_string(context_.version));
    equal("M-33", container_, {"imagePullPolicy"}, "IfNotPresent");
    equal("M-33", container_, {"resources", "limits", "cpu"}, "2");
    equal("M-33", container_, {"resources", "limits", "memory"}, "4Gi");
    equal("M-33", container_, {"resources", "requests", "cpu"}, "200m");
    equal("M-33", container_, {"resources", "requests", "memory"}, "400Mi");
    bool mounted = false;
    for (const Node* mount : items(value(container_, "volumeMounts")))
      mounted = mounted || text(mount, "mountPath") == "/conf";
    require(mounted, "M-33", value(container_, "volumeMounts"), "its configuration mounted at /conf");
    const Node* env = value(container_, "env");
    struct Variable {
      const char *name, *path;
    };
    for (const Variable& wanted :
         {Variable{"POD_NAME", "metadata.name"}, Variable{"POD_NAMESPACE", "metadata.namespace"}}) {
      bool found = false;
      for (const Node* variable : items(env))
        found = found || (text(variable, "name") == wanted.name &&
                          text(at(variable, {"valueFrom", "fieldRef", "fieldPath"})) == wanted.path);
      require(found, "M-33", env != nullptr ? env : container_,
              fmt::format("the variable {} from {}", wanted.name, wanted.path));
    }
  }

  // An object that names no namespace goes where the file is applied.
  void namespaces() {
    for (const Node& document : manifest_.documents) {
      const Node* name = at(&document, {"metadata", "namespace"});
      require(name == nullptr || text(name) == context_.name_space, "M-35", name,
              fmt::format("its objects in the namespace {}", context_.name_space));
    }
  }

  const Manifest& manifest_;
  const ClaimContext& context_;
  const Node* root_;
  const Node* workload_;
  const Node* container_;
  std::vector<Finding> out_;
};

}  // namespace

std::vector<Finding> find_broken_claims(const Manifest& manifest, const ClaimContext& context) {
  std::vector<Finding> out = Claims(manifest, context).run();
  sort_findings(out);
  return out;
}

}  // namespace hopcheck::otelcol

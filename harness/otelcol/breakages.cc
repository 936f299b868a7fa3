#include "otelcol/breakages.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/text.h"

namespace hopcheck::otelcol {
namespace {

constexpr const char* kCoreChanges = "collector CHANGELOG";

bool only_localhost(std::string_view endpoint) {
  return endpoint.starts_with("localhost:") || endpoint.starts_with("127.") || endpoint.starts_with("[::1]");
}

class Finder {
 public:
  Finder(const Configuration& configuration, const Version& target) : of_(configuration), target_(target) {}

  std::vector<Finding> run() {
    exporters();
    receivers();
    health_checks();
    destinations();
    references();
    return std::move(out_);
  }

 private:
  Finding& add(const Node& at, const char* id, Effect effect, std::string what, std::string fix) {
    Finding finding;
    finding.id = id;
    finding.effect = effect;
    finding.line = at.line;
    finding.column = at.column;
    finding.what = std::move(what);
    finding.fix = std::move(fix);
    out_.push_back(std::move(finding));
    return out_.back();
  }
  void since(Finding& finding, const Version& version, const char* source) {
    finding.since = to_string(version);
    finding.source = source;
  }

  void exporters() {
    for (const Field& field : fields(value(&of_.root, "exporters"))) {
      const std::string type = type_of(field.key->text);
      if (type == "logging" && target_ >= kNoLogging) {
        Finding& finding =
            add(*field.key, "exporter-logging", Effect::kRefused, "the exporter `logging` is gone",
                "the exporter `debug` with `verbosity` in place of `loglevel`, here and in the pipelines");
        since(finding, kNoLogging, kCoreChanges);
        finding.row = "D-08";
      } else if (type == "debug") {
        debug_exporter(field);
      } else if ((type == "otlp" || type == "otlphttp") && target_ >= kRenamedOtlp) {
        since(
            add(*field.key, "exporter-alias", Effect::kNote,
                fmt::format("the exporter `{}` is an alias of `{}`", type, type == "otlp" ? "otlp_grpc" : "otlp_http"),
                ""),
            kRenamedOtlp, kCoreChanges);
      }
    }
  }

  void debug_exporter(const Field& field) {
    if (target_ < kDebugExporter)
      add(*field.key, "exporter-debug", Effect::kRefused,
          fmt::format("the exporter `debug` comes with Collector {}", to_string(kDebugExporter)),
          "the exporter `logging`, or a later Collector");
    if (const Node* level = key_of(field.value, "loglevel"))
      add(*level, "debug-loglevel", Effect::kRefused, "the exporter `debug` has no `loglevel`",
          "`verbosity`: basic, normal or detailed");
  }

  void receivers() {
    for (const Field& receiver : fields(value(&of_.root, "receivers"))) {
      if (type_of(receiver.key->text) != "otlp") continue;
      for (const Field& protocol : fields(value(receiver.value, "protocols"))) {
        if (protocol.key->text == "grpc" || protocol.key->text == "http")
          listener(*protocol.key, protocol.value, "receiver-localhost",
                   fmt::format("the receiver `{}` on {}", printable(receiver.key->text), protocol.key->text),
                   protocol.key->text == "grpc" ? 4317 : 4318);
      }
    }
  }

  void listener(const Node& key, const Node* settings, const char* id, const std::string& who, int port) {
    const Node* endpoint = value(settings, "endpoint");
    const bool default_address = endpoint == nullptr;
    if (default_address && target_ < kLocalhost) return;
    if (!default_address && !only_localhost(text(endpoint))) return;
    Finding& finding =
        add(default_address ? key : *endpoint, id, default_address ? Effect::kChanged : Effect::kNote,
            default_address ? who + " has no endpoint and listens on localhost: no other pod reaches it"
                            : who + " listens on localhost: no other pod reaches it",
            fmt::format("endpoint: 0.0.0.0:{}", default_address ? port : port_of(text(endpoint))));
    finding.row = "D-08";
    if (default_address) since(finding, kLocalhost, kCoreChanges);
  }

  void health_checks() {
    for (const Field& extension : fields(value(&of_.root, "extensions"))) {
      if (type_of(extension.key->text) != "health_check") continue;
      const Node* port = key_of(extension.value, "port");
      if (port != nullptr && target_ >= kNoHealthPort) {
        Finding& finding =
            add(*port, "health-check-port", Effect::kRefused, "the extension `health_check` has no key `port`",
                fmt::format("endpoint: 0.0.0.0:{}", printable(text(extension.value, "port"))));
        since(finding, kNoHealthPort, "contrib #10853");
        finding.row = "D-08";
      } else if (port == nullptr) {
        listener(*extension.key, extension.value, "health-check-localhost", "the extension `health_check`", 13133);
      }
    }
  }

  // An exporter that a pipeline uses needs to know where to.
  void destinations() {
    for (const Field& exporter : fields(value(&of_.root, "exporters"))) {
      const std::string type = type_of(exporter.key->text);
      if (type != "otlp" && type != "otlphttp" && type != "otlp_grpc" && type != "otlp_http") continue;
      const std::string name = printable(exporter.key->text);
      const bool by_signal = value(exporter.value, "traces_endpoint") != nullptr;
      if (is_empty(value(exporter.value, "endpoint")) && !by_signal)
        add(*exporter.key, "endpoint-missing", Effect::kMissing,
            fmt::format("the exporter `{}` has no endpoint: it does not know the backend", name),
            "endpoint: HOST:PORT of the backend")
            .row = "M-03";
      for (const Field& header : fields(value(exporter.value, "headers"))) {
        if (is_empty(header.value))
          add(*header.key, "token-missing", Effect::kMissing,
              fmt::format("the header `{}` of the exporter `{}` is empty: the token is missing",
                          printable(header.key->text), name),
              "the backend's token, or ${env:NAME} and the variable from a Secret")
              .row = "M-03";
      }
    }
  }

  void references() {
    const Node* pipelines = at(&of_.root, {"service", "pipelines"});
    for (const char* section : {"receivers", "processors", "exporters"}) {
      for (const Field& pipeline : fields(pipelines)) {
        for (const Node* name : items(value(pipeline.value, section))) known(*name, section);
      }
    }
    for (const Node* name : items(at(&of_.root, {"service", "extensions"}))) known(*name, "extensions");
  }

  void known(const Node& name, const char* section) {
    if (value(value(&of_.root, section), name.text) != nullptr) return;
    if (value(value(&of_.root, "connectors"), name.text) != nullptr) return;
    add(name, "undefined-component", Effect::kRefused,
        fmt::format("`{}` is used, and {} does not define it", printable(name.text), section),
        fmt::format("define it under {}, or take it out", section));
  }

  const Configuration& of_;
  Version target_;
  std::vector<Finding> out_;
};

void add_endpoints(const Node& node, std::set<int>& ports) {
  for (const Field& field : fields(&node)) {
    if (field.key->text.ends_with("endpoint")) ports.insert(port_of(text(field.value)));
  }
  for (const Node& item : node.items) add_endpoints(item, ports);
}

}  // namespace

int port_of(std::string_view endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos) return 0;
  const std::string_view digits = endpoint.substr(colon + 1);
  int port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return read.ec == std::errc() && read.ptr == digits.data() + digits.size() && port > 0 && port < 65536 ? port : 0;
}

std::string verbosity_of(const std::string& loglevel) {
  if (loglevel == "debug") return "detailed";
  if (loglevel == "info") return "normal";
  for (const char* level : {"warn", "error", "dpanic", "panic", "fatal"}) {
    if (loglevel == level) return "basic";
  }
  return "";
}

std::vector<int> listening_ports(const Configuration& configuration) {
  std::set<int> ports;
  for (const char* section : {"receivers", "extensions"}) {
    const Node* all = value(&configuration.root, section);
    if (all != nullptr) add_endpoints(*all, ports);
  }
  for (const Field& receiver : fields(value(&configuration.root, "receivers"))) {
    const std::string type = type_of(receiver.key->text);
    if (type == "opencensus" && value(receiver.value, "endpoint") == nullptr) ports.insert(55678);
    if (type != "otlp") continue;
    for (const Field& protocol : fields(value(receiver.value, "protocols"))) {
      if (value(protocol.value, "endpoint") == nullptr) ports.insert(protocol.key->text == "grpc" ? 4317 : 4318);
    }
  }
  for (const Field& extension : fields(value(&configuration.root, "extensions"))) {
    if (type_of(extension.key->text) != "health_check") continue;
    const std::string port = text(extension.value, "port");
    if (!port.empty()) ports.insert(port_of(":" + port));
    else if (value(extension.value, "endpoint") == nullptr) ports.insert(13133);
  }
  ports.erase(0);
  return {ports.begin(), ports.end()};
}

std::vector<const Node*> used(const Configuration& configuration, std::string_view section) {
  std::vector<const Node*> out;
  for (const Field& pipeline : fields(at(&configuration.root, {"service", "pipelines"}))) {
    for (const Node* name : items(value(pipeline.value, section))) out.push_back(name);
  }
  return out;
}

std::vector<Finding> find_breakages(const Manifest& manifest, const Version& target) {
  std::vector<Finding> out;
  for (const Configuration& configuration : manifest.configurations) {
    for (Finding& finding : Finder(configuration, target).run()) out.push_back(std::move(finding));
  }
  sort_findings(out);
  return out;
}

}  // namespace hopcheck::otelcol

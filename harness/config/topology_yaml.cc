#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "config/parts.h"

namespace hopcheck::config {
namespace {

constexpr double kMostCalls = 100;              // per call entry
constexpr uint64_t kMostHopsPerRequest = 1000;  // a request's tree is built in memory for every journey and variant

const std::vector<std::pair<std::string, Instrumentation>> kInstrumentations{
    {"sdk", Instrumentation::kSdk}, {"forward", Instrumentation::kForward}, {"none", Instrumentation::kNone},
    {"auto", Instrumentation::kAuto}};

std::vector<ServicePort> read_ports(Reader& service) {
  std::vector<ServicePort> ports;
  for (const Node* item : service.items("ports")) {
    Reader reader(item, fmt::format("{}[{}]", service.path_of("ports"), ports.size()), service.problems());
    ServicePort port;
    port.name = reader.text("name", port.name);
    check_label_text(reader, "name", port.name);
    port.app_protocol = reader.text("appProtocol", "");
    port.port = static_cast<uint16_t>(reader.integer("port", port.port, {1, 65535}));
    port.target_port = static_cast<uint16_t>(reader.integer("targetPort", port.port, {1, 65535}));
    reader.finish();
    for (const ServicePort& other : ports) {
      if (other.name == port.name) reader.problem("name", fmt::format("port name \"{}\" is used twice", port.name));
      if (other.port == port.port) reader.problem("port", fmt::format("port {} is used twice", port.port));
    }
    // Kubernetes: a port may be without a name where it is the service's only one.
    if (port.name.empty() && service.items("ports").size() > 1) reader.problem("name", "needed beside other ports");
    ports.push_back(std::move(port));
  }
  return ports;
}

std::vector<Workload> read_workloads(Reader& service) {
  std::vector<Workload> workloads;
  for (const Node* item : service.items("workloads")) {
    Reader reader(item, fmt::format("{}[{}]", service.path_of("workloads"), workloads.size()), service.problems());
    Workload workload;
    workload.name = reader.text("name", "", Need::kRequired);
    check_label_text(reader, "name", workload.name);
    workload.version = reader.text("version", "");
    workload.labels = reader.text_map("labels");
    reader.finish();
    for (const Workload& other : workloads) {
      if (other.name == workload.name) reader.problem("name", fmt::format("\"{}\" is used twice", workload.name));
    }
    workloads.push_back(std::move(workload));
  }
  return workloads;
}

bool has_span(const Service& service, const std::string& name) {
  return std::any_of(service.spans.begin(), service.spans.end(),
                     [&](const AppSpan& span) { return span.name == name; });
}

// A parent must come before its child: no cycle is possible and readers see the tree in order.
void read_spans(Reader& reader, Service& service) {
  for (const Node* item : reader.items("spans")) {
    Reader span_reader(item, fmt::format("{}[{}]", reader.path_of("spans"), service.spans.size()), reader.problems());
    AppSpan span;
    span.name = span_reader.text("name", "", Need::kRequired);
    span.kind = read_span_kind(span_reader, service.spans.empty() ? SpanKind::kServer : SpanKind::kInternal);
    span.parent = span_reader.text("parent", "");
    span_reader.finish();
    if (has_span(service, span.name)) span_reader.problem("name", fmt::format("\"{}\" is used twice", span.name));
    if (service.spans.empty() && (span.kind != SpanKind::kServer || !span.parent.empty())) {
      span_reader.problem("kind", "the first span must be the SERVER span, without a parent");
    }
    if (!span.parent.empty() && !has_span(service, span.parent)) {
      span_reader.problem("parent", fmt::format("no earlier span \"{}\" in {}", span.parent, service.name));
    }
    service.spans.push_back(std::move(span));
  }
  const bool sdk = service.instrumentation == Instrumentation::kSdk;
  if (!sdk && !service.spans.empty()) reader.problem("spans", "only a service with instrumentation sdk makes spans");
  if (sdk && service.spans.empty()) reader.problem("spans", "a service with instrumentation sdk needs its SERVER span");
  if (!sdk && service.client_spans)
    reader.problem("clientSpans", "only a service with instrumentation sdk makes spans");
}

void read_calls(Reader& reader, Service& service) {
  for (const Node* item : reader.items("calls")) {
    Reader call_reader(item, fmt::format("{}[{}]", reader.path_of("calls"), service.calls.size()), reader.problems());
    Call call;
    call.to = call_reader.text("to", "", Need::kRequired);
    call.port = static_cast<uint16_t>(call_reader.integer("port", 0, {1, 65535}));
    call.method = call_reader.text("method", "");
    call.path = call_reader.text("path", "");
    call.count = static_cast<int>(call_reader.integer("count", 1, {1, kMostCalls}));
    call.parallel = call_reader.boolean("parallel", false);
    call.when = call_reader.texts("when");
    call.parent = call_reader.text("parent", "");
    call_reader.finish();
    if (!call.method.empty()) check_method(call_reader, call.method);
    if (!call.path.empty()) check_path(call_reader, "path", call.path, Query::kForbidden);
    if (!call.parent.empty() && !has_span(service, call.parent)) {
      call_reader.problem("parent", fmt::format("no span \"{}\" in {}", call.parent, service.name));
    }
    for (const std::string& version : call.when) {
      const bool known = std::any_of(service.workloads.begin(), service.workloads.end(),
                                     [&](const Workload& workload) { return workload.version == version; });
      if (!known)
        call_reader.problem("when", fmt::format("no workload of {} has version \"{}\"", service.name, version));
    }
    service.calls.push_back(std::move(call));
  }
}

Service read_service(const Node* item, const std::string& where, const std::string& ns, Problems& problems) {
  Reader reader(item, where, problems);
  Service service;
  service.name = reader.text("name", "", Need::kRequired);
  check_label_text(reader, "name", service.name);
  service.ns = reader.text("namespace", ns);
  if (reader.has("namespace")) check_label_text(reader, "namespace", service.ns);
  service.labels = reader.text_map("labels");
  if (!reader.has("labels")) service.labels = {{"app", service.name}};
  service.meshed = reader.boolean("meshed", true);
  service.instrumentation = reader.choice("instrumentation", Instrumentation::kSdk, kInstrumentations);
  service.service_account = reader.text("serviceAccount", "");
  check_label_text(reader, "serviceAccount", service.service_account);
  service.image_role = reader.text("imageRole", "");
  service.otel_service_name = reader.text("otelServiceName", "");
  service.body_title = reader.text("bodyTitle", "");
  service.client_spans = reader.boolean("clientSpans", false);
  service.sdk = reader.text("sdk", "");
  service.route = reader.text("route", "");
  check_auto(reader, service);
  service.ports = read_ports(reader);
  if (service.ports.empty()) service.ports.push_back({});
  service.workloads = read_workloads(reader);
  if (service.workloads.empty()) service.workloads.push_back({service.name, "", {}});
  read_spans(reader, service);
  read_calls(reader, service);
  reader.finish();
  return service;
}

// Hops one request makes from a service on, itself included; depth-first with an on-path mark, so a cycle is found too.
class HopCounter {
 public:
  explicit HopCounter(const Topology& topology)
      : topology_(topology), hops_(topology.services.size(), 0), on_path_(topology.services.size(), false) {}

  // 0 when the service is on a cycle. Depth is bounded by the number of services.
  uint64_t count(int index) {
    const auto i = static_cast<size_t>(index);
    if (on_path_[i]) {
      cycle_ = true;
      return 0;
    }
    if (hops_[i] != 0) return hops_[i];
    on_path_[i] = true;
    uint64_t total = 1;
    for (const Call& call : topology_.services[i].calls) {
      const int to = topology_.find(call.to);
      if (to < 0) continue;
      total += static_cast<uint64_t>(call.count) * std::min(count(to), kMostHopsPerRequest + 1);
      total = std::min(total, kMostHopsPerRequest + 1);
    }
    on_path_[i] = false;
    return hops_[i] = total;
  }
  bool cycle() const { return cycle_; }

 private:
  const Topology& topology_;
  std::vector<uint64_t> hops_;
  std::vector<bool> on_path_;
  bool cycle_ = false;
};

void check_calls(Reader& spec, const Topology& topology) {
  const std::vector<const Node*> nodes = spec.items("services");
  std::vector<std::string> names;
  for (const Service& service : topology.services) names.push_back(service.name);
  for (size_t s = 0; s < topology.services.size(); ++s) {
    const Service& service = topology.services[s];
    Problems ignored(spec.problems().file());
    Reader service_reader(nodes[s], fmt::format("spec.services[{}]", s), ignored);
    const std::vector<const Node*> calls = service_reader.items("calls");
    for (size_t c = 0; c < service.calls.size(); ++c) {
      const Call& call = service.calls[c];
      const std::string where = fmt::format("spec.services[{}].calls[{}]", s, c);
      const int to = topology.find(call.to);
      if (to < 0) {
        if (call.to.empty()) continue;
        const auto best = call.to.size() > 64 ? std::nullopt : nearest(call.to, names);
        spec.problems().add(*calls[c], fmt::format("{}.to: no service \"{}\"{}", where, printable(call.to),
                                                   best ? fmt::format("; did you mean \"{}\"?", *best) : ""));
        continue;
      }
      const auto& ports = topology.services[static_cast<size_t>(to)].ports;
      const bool known = call.port == 0 || std::any_of(ports.begin(), ports.end(),
                                                       [&](const ServicePort& port) { return port.port == call.port; });
      if (!known) spec.problems().add(*calls[c], fmt::format("{}.port: {} has no port {}", where, call.to, call.port));
    }
  }
}

}  // namespace

void check_label_text(Reader& reader, const std::string& key, const std::string& text) {
  if (!text.empty() && !is_label(text)) {
    reader.problem(
        key, fmt::format("\"{}\" is no name: use lower-case letters, digits and '-', at most 63", printable(text)));
  }
}

void check_method(Reader& reader, const std::string& method) {
  const bool valid = !method.empty() && method.size() <= 16 &&
                     std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!valid) reader.problem("method", fmt::format("\"{}\" is no HTTP method", printable(method)));
}

void check_path(Reader& reader, const std::string& key, const std::string& path, Query query) {
  const bool visible = std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
  if (path.empty() || path[0] != '/' || !visible || path.size() > 2048) {
    reader.problem(
        key, fmt::format("\"{}\" is no path: it starts with '/' and holds visible ASCII without '#'", printable(path)));
  } else if (query == Query::kForbidden && path.find('?') != std::string::npos) {
    reader.problem(key, "must not hold a query");
  }
}

SpanKind read_span_kind(Reader& reader, SpanKind fallback) {
  return reader.choice<SpanKind>("kind", fallback,
                                 {{"SERVER", SpanKind::kServer},
                                  {"CLIENT", SpanKind::kClient},
                                  {"INTERNAL", SpanKind::kInternal},
                                  {"PRODUCER", SpanKind::kProducer},
                                  {"CONSUMER", SpanKind::kConsumer}});
}

Topology read_topology_fields(const std::string& name, Reader& spec) {
  Topology topology;
  topology.name = name;
  topology.ns = spec.text("namespace", topology.ns);
  check_label_text(spec, "namespace", topology.ns);
  topology.entry = spec.text("entry", "", Need::kRequired);
  topology.host = spec.text("host", "");
  const bool plain = std::all_of(topology.host.begin(), topology.host.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-';
  });
  if (!plain || topology.host.size() > 253)
    spec.problem("host", fmt::format("\"{}\" is no host name", printable(topology.host)));
  for (const Node* item : spec.items("services", Need::kRequired)) {
    const std::string where = fmt::format("{}[{}]", spec.path_of("services"), topology.services.size());
    Service service = read_service(item, where, topology.ns, spec.problems());
    if (!service.name.empty() && topology.find(service.name) >= 0) {
      spec.problems().add(*item, fmt::format("{}.name: \"{}\" is used twice", where, printable(service.name)));
    }
    topology.services.push_back(std::move(service));
  }
  if (topology.services.empty()) spec.problem("services", "needs at least one service");
  check_calls(spec, topology);
  const int entry = topology.find(topology.entry);
  if (!topology.entry.empty() && entry < 0) {
    spec.problem("entry", fmt::format("no service \"{}\"", printable(topology.entry)));
  }
  HopCounter counter(topology);
  uint64_t most = 0;
  for (size_t i = 0; i < topology.services.size(); ++i) most = std::max(most, counter.count(static_cast<int>(i)));
  if (counter.cycle()) {
    spec.problem("services", "the calls form a cycle");
  } else if (most > kMostHopsPerRequest) {
    spec.problem("services", fmt::format("one request would make more than {} calls", kMostHopsPerRequest));
  }
  return topology;
}

Topology read_topology(const std::string& name, const Node* spec, Problems& problems) {
  Reader reader(spec, "spec", problems);
  Topology topology = read_topology_fields(name, reader);
  reader.finish();
  return topology;
}

Loaded<Topology> parse_topology(const std::string& text, const std::string& file) {
  Problems problems(file);
  Topology topology;
  const std::vector<Node> documents = parse_yaml(text, problems);
  if (documents.size() > 1) problems.add(documents[1], "expected one document");
  if (!documents.empty()) {
    if (const auto head = read_head(documents[0], "Topology", problems)) {
      if (head->spec) topology = read_topology(head->name, head->spec, problems);
    }
  }
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return topology;
}

}  // namespace hopcheck::config

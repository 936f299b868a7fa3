#include "demo/service.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "base/clock.h"
#include "base/text.h"
#include "demo/endpoint.h"
#include "demo/http_server.h"
#include "demo/script.h"

namespace hopcheck::demo {
namespace {

using std::chrono::milliseconds;
using Json = nlohmann::ordered_json;

constexpr milliseconds kFinishLimit{800};
constexpr milliseconds kAnswerLimit{400};  // for writing the answers of what was cut short
constexpr milliseconds kFlushLimit{1'000};
constexpr size_t kEndpointThreads = 512;
constexpr size_t kControlThreads = 16;

const char* to_string(Instrumentation instrumentation) {
  switch (instrumentation) {
    case Instrumentation::kSdk: return "sdk";
    case Instrumentation::kForward: return "forward";
    case Instrumentation::kNone: return "none";
    case Instrumentation::kAuto: return "auto";
  }
  return "?";
}

tl::unexpected<Error> unknown(const std::string& what, const std::string& name, const std::vector<std::string>& known) {
  const std::optional<std::string> near = nearest(name, known);
  std::string list;
  for (const std::string& each : known) list += (list.empty() ? "" : ", ") + each;
  return fail(ErrorKind::kUsage, "unknown " + what + " '" + name + "'", "the topology has: " + list,
              near ? "did you mean " + *near + "?" : "");
}

Result<const Service*> find_service(const Topology& topology, const std::string& name) {
  const int index = topology.find(name);
  if (index >= 0) return &topology.services[static_cast<size_t>(index)];
  std::vector<std::string> known;
  for (const Service& service : topology.services) known.push_back(service.name);
  return unknown("service", name, known);
}

Result<Workload> find_workload(const Service& service, const std::string& name) {
  if (name.empty()) return service.workloads.empty() ? Workload{service.name, "", {}} : service.workloads.front();
  std::vector<std::string> known;
  for (const Workload& workload : service.workloads) {
    if (workload.name == name) return workload;
    known.push_back(workload.name);
  }
  return unknown("workload", name, known);
}

std::string base_url(const ScriptCall& call, const DemoOptions& options) {
  const auto own = options.resolve_service.find(call.to);
  std::string url = own != options.resolve_service.end()
                        ? own->second
                        : substitute(options.resolve, [&](std::string_view name) -> std::optional<std::string> {
                            if (name == "service") return call.to;
                            if (name == "namespace") return call.ns;
                            if (name == "port") return std::to_string(call.port);
                            return std::nullopt;
                          });
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

ExporterOptions exporter_options(const Service& service, const Workload& workload, const DemoOptions& options) {
  ExporterOptions out;
  out.url = options.otlp_url;
  out.route = options.route;
  out.resource = {{"service.name", service.otel_service_name.empty() ? service.name : service.otel_service_name}};
  if (!workload.version.empty()) out.resource.emplace_back("service.version", workload.version);
  out.resource.emplace_back("telemetry.sdk.name", "hopcheck-demo");
  out.resource.emplace_back("telemetry.sdk.language", "cpp");
  out.resource.emplace_back("telemetry.sdk.version", kDemoVersion);
  out.scope_version = kDemoVersion;
  return out;
}

HttpResponse text(int status, const std::string& body) { return {status, "text/plain; charset=utf-8", body + "\n"}; }

}  // namespace

class DemoService::Impl {
 public:
  explicit Impl(const HttpRoute& route) : client_(route) {}
  Result<void> start(const Topology& topology, const DemoOptions& options) {
    const Result<const Service*> service = find_service(topology, options.service);
    if (!service) return tl::unexpected<Error>(service.error());
    const Result<Workload> workload = find_workload(**service, options.workload);
    if (!workload) return tl::unexpected<Error>(workload.error());
    const Result<Script> script = compile_script(topology, **service, workload->version);
    if (!script) return tl::unexpected<Error>(script.error());
    service_ = (*service)->name;
    workload_ = *workload;
    instrumentation_ = script->instrumentation;
    if (!options.otlp_url.empty() && instrumentation_ == Instrumentation::kSdk) {
      exporter_ = std::make_unique<Exporter>(exporter_options(**service, *workload, options));
    }
    EndpointOptions endpoint{service_, workload->version, (*service)->body_title, *script, {}, options.span_micros};
    for (const ScriptCall& call : script->calls) endpoint.call_bases.push_back(base_url(call, options));
    endpoint_ = std::make_unique<Endpoint>(
        std::move(endpoint), EndpointParts{switches_, client_, exporter_.get(), counters_});
    return start_servers(options);
  }

  uint16_t port() const { return server_->port(); }
  uint16_t control_port() const { return control_->port(); }
  void set_switches(const Switches& switches) { switches_.set(switches); }
  ExporterCounters export_counters() const { return exporter_ ? exporter_->counters() : ExporterCounters{}; }

  void stop() {
    if (server_) {
      server_->close();
      server_->wait_idle(kFinishLimit);
      stop_.request_stop();
      server_->wait_idle(kAnswerLimit);
      server_->stop();
    }
    if (exporter_) exporter_->shutdown(kFlushLimit);
    if (control_) control_->stop();
  }

  std::string state_json() const {
    const ExporterCounters exported = export_counters();
    Json answers;
    for (size_t hundred = 1; hundred < counters_.answers.size(); ++hundred) {
      answers[std::to_string(hundred) + "xx"] = counters_.answers[hundred].load();
    }
    const Json state{
        {"service", service_},
        {"workload", workload_.name},
        {"version", workload_.version},
        {"instrumentation", to_string(instrumentation_)},
        {"uptimeMs", (system_clock().monotonic_nanos() - started_) / 1'000'000},
        {"switches", Json::parse(to_json(switches_.get()))},
        {"counters",
         {{"requests", counters_.requests.load()},
          {"answers", answers},
          {"failedBySwitch", counters_.failed_by_switch.load()},
          {"calls", counters_.calls.load()},
          {"callFailures", counters_.call_failures.load()},
          {"spans", {{"sampled", counters_.spans_sampled.load()}, {"unsampled", counters_.spans_unsampled.load()}}},
          {"export",
           {{"enabled", exporter_ != nullptr},
            {"queued", exported.queued},
            {"exported", exported.exported},
            {"dropped", exported.dropped},
            {"failed", exported.failed},
            {"requests", exported.requests},
            {"retries", exported.retries}}}}}};
    return state.dump();
  }

 private:
  Result<void> start_servers(const DemoOptions& options) {
    auto control = HttpServer::start({options.control, kControlThreads},
                                     [this](const HttpRequest& request) { return handle_control(request); });
    if (!control) return with_context(control.error(), "control port");
    control_ = std::move(*control);
    auto server = HttpServer::start({options.listen, kEndpointThreads},
                                    [this](const HttpRequest& request) { return handle(request); });
    if (!server) return with_context(server.error(), "endpoint");
    server_ = std::move(*server);
    return {};
  }

  HttpResponse handle(const HttpRequest& request) {
    if (request.method == "HEAD" || path_of(request.target) == "/ready") return text(200, "ready");
    return endpoint_->handle(request, stop_.get_token());
  }

  HttpResponse handle_control(const HttpRequest& request) {
    const std::string route = request.method + " " + std::string(path_of(request.target));
    if (route == "GET /healthz") return text(200, "ok");
    if (route == "GET /state") return {200, "application/json", state_json() + "\n"};
    if (route == "PUT /switches") {
      const Result<Switches> switches = parse_switches(request.body);
      if (!switches) return text(400, switches.error().what + ": " + switches.error().why);
      switches_.set(*switches);
      return {200, "application/json", to_json(*switches) + "\n"};
    }
    if (route == "DELETE /switches") {
      switches_.set({});
      return {200, "application/json", to_json({}) + "\n"};
    }
    return text(404, "there are: GET /healthz, GET /state, PUT /switches, DELETE /switches");
  }

  std::string service_;
  Workload workload_;
  Instrumentation instrumentation_ = Instrumentation::kSdk;
  const int64_t started_ = system_clock().monotonic_nanos();
  std::stop_source stop_;
  Switchboard switches_;
  EndpointCounters counters_;
  HttpClient client_;
  std::unique_ptr<Exporter> exporter_;
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<HttpServer> control_;  // the servers are last: they stop first
  std::unique_ptr<HttpServer> server_;
};

Result<std::unique_ptr<DemoService>> DemoService::start(const Topology& topology, const DemoOptions& options) {
  auto impl = std::make_unique<Impl>(options.route);
  const Result<void> started = impl->start(topology, options);
  if (!started) return tl::unexpected<Error>(started.error());
  return std::unique_ptr<DemoService>(new DemoService(std::move(impl)));
}

DemoService::DemoService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DemoService::~DemoService() { stop(); }
uint16_t DemoService::port() const { return impl_->port(); }
uint16_t DemoService::control_port() const { return impl_->control_port(); }
std::string DemoService::state_json() const { return impl_->state_json(); }
void DemoService::set_switches(const Switches& switches) { impl_->set_switches(switches); }
ExporterCounters DemoService::export_counters() const { return impl_->export_counters(); }
void DemoService::stop() { impl_->stop(); }

}  // namespace hopcheck::demo

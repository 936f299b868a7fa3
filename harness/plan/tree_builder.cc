#include "plan/tree_builder.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "plan/app_spans.h"
#include "plan/fault_plan.h"
#include "plan/proxy_span.h"

namespace hopcheck::plan {
namespace {

constexpr int kMostAttempts = 16;

class TreeBuilder {
 public:
  TreeBuilder(const Scenario& scenario, const ProfileBinding& binding, const Choice& choice, const Journey& journey)
      : scenario_(scenario), claimed_(claimed_environment(scenario)), topology_(scenario.topology), binding_(binding),
        choice_(choice), journey_(journey), maker_(scenario, binding, choice, journey) {}

  ExpectedTree build() {
    tree_.journey = journey_.name;
    tree_.outside = journey_.outside;
    if (journey_.outside || !journey_.host.empty()) {
      if (journey_.outside) add_passthrough();
      else add_unrouted();
      return std::move(tree_);
    }
    Hop hop;
    hop.callee = topology_.find(topology_.entry);
    const Service& service = topology_.services[hop.callee];
    hop.port = service.ports.empty() ? 8080 : service.ports[0].port;
    hop.method = journey_.method;
    hop.path = journey_.path.substr(0, journey_.path.find('?'));
    if (scenario_.entry == Entry::kGateway || scenario_.entry == Entry::kMesh) {
      hop.caller = scenario_.entry == Entry::kGateway ? kGatewayService : kClientService;
      call_through_proxy(-1, std::move(hop));
    } else {
      captured_ = scenario_.entry != Entry::kDirect;
      serve(-1, hop, Attempt::kServed);
    }
    return std::move(tree_);
  }

 private:
  // kRefused: a declared retry, this attempt is answered with an error at once.
  enum class Attempt : uint8_t { kServed, kRefused };

  bool overflow() const { return tree_.spans.size() >= kMaxSpans; }
  const Fault* fault(const std::string& service, Fault::Kind kind) const {
    return find_fault(scenario_, journey_.name, service, kind);
  }
  int add(ExpectedSpan span) {
    if (tree_.spans.size() >= kMaxSpans) return -1;
    tree_.spans.push_back(std::move(span));
    return static_cast<int>(tree_.spans.size()) - 1;
  }

  // ---- what a proxy makes of a call ----

  // -1 stands for a span that this version's proxy does not emit.
  void settle(int span, int status, const char* flag) {
    if (span < 0) return;
    tree_.spans[span].http_status = status;
    tree_.spans[span].response_flag = flag;
  }
  void flag(int span, const char* text) {
    if (span >= 0) tree_.spans[span].response_flag = text;
  }

  Answer call_through_proxy(int parent, Hop hop) {
    const Service& callee = topology_.services[hop.callee];
    const bool gateway = hop.caller == kGatewayService;
    hop.route = route_of(scenario_, journey_.name, callee.name, hop.path);
    const size_t before = tree_.spans.size();
    const int under = add_proxy(parent, gateway ? ProxyRole::kGatewayServer : ProxyRole::kOutbound, hop.caller, hop);
    const int own = tree_.spans.size() > before ? under : -1;
    Answer answer;
    int64_t held = 0;
    if (const Fault* delay = fault(callee.name, Fault::Kind::kWireDelay)) {
      held = delay->delay_nanos;
      flag(own, "DI");
    }
    if (const Fault* abort = fault(callee.name, Fault::Kind::kAbort)) {
      answer = answer_of(abort->status);  // the callee never sees the request
      settle(own, answer.status, "FI");
    } else if (fault(callee.name, Fault::Kind::kNoEndpoint) != nullptr) {
      answer = answer_of(503);
      settle(own, 503, "UH");
    } else {
      answer = try_until_answered(own, under, hop);
    }
    answer.nanos += held;
    return answer;
  }

  // The attempts of one call: as many as the declared retry policy makes of the answers. All hang under the caller's
  // one CLIENT span; a gateway that spawns has a CLIENT span for each (facts 2.5).
  Answer try_until_answered(int own, int under, const Hop& hop) {
    const Service& callee = topology_.services[hop.callee];
    const Fault* retry = fault(callee.name, Fault::Kind::kRetry);
    const Fault* timeout = fault(callee.name, Fault::Kind::kTimeout);
    const bool spawns =
        hop.caller == kGatewayService &&
        binding_.of(kGatewayService).rule(ProxyRole::kGatewayClient, claimed_.gateway_spawn) != nullptr;
    const int most = retry == nullptr ? 1 : std::min(1 + retry->attempts, kMostAttempts);
    Answer answer;
    int64_t spent = 0;
    for (int attempt = 0; attempt < most && !overflow(); ++attempt) {
      const int spawned = spawns ? add_proxy(under, ProxyRole::kGatewayClient, kGatewayService, hop) : -1;
      const size_t first = tree_.spans.size();
      const bool refused = retry != nullptr && attempt < retry->times;
      answer = serve(spawns ? spawned : under, hop, refused ? Attempt::kRefused : Attempt::kServed);
      spent += answer.nanos;
      settle(spawned, answer.status, "");
      if (timeout != nullptr && spent > timeout->delay_nanos) {
        settle(spawned, 0, "");
        settle(own, 504, "UT");
        // The callee's proxy sees its caller leave: code 0 or what had come, and DC.
        if (first < tree_.spans.size() && tree_.spans[first].role == ProxyRole::kInbound) settle(first, 0, "DC");
        answer = answer_of(504);
        answer.nanos = timeout->delay_nanos;
        return answer;
      }
      if (answer.klass != 5) break;
    }
    const bool gave_up = retry != nullptr && answer.klass == 5;
    if (own >= 0) tree_.spans[own].http_status = answer.status;
    if (gave_up) flag(own, "URX");
    else if (own >= 0 && tree_.spans[own].response_flag == "-" && answer.status != 200) flag(own, "");
    answer.nanos = spent;
    return answer;
  }

  // A host that no route of the gateway matches: it answers itself (facts 9.10).
  void add_unrouted() {
    const SpanRule* rule =
        binding_.of(kGatewayService).rule(ProxyRole::kGatewayServer, claimed_.gateway_spawn);
    if (rule == nullptr) return;
    Hop hop;
    hop.callee = topology_.find(topology_.entry);
    hop.method = journey_.method;
    hop.path = journey_.path.substr(0, journey_.path.find('?'));
    const int own = add_proxy(-1, ProxyRole::kGatewayServer, kGatewayService, hop);
    if (own < 0) return;
    ExpectedSpan& span = tree_.spans[own];
    span.peer = -1;
    span.cluster.clear();
    if (!rule->unrouted.empty()) span.name = maker_.fill(rule->unrouted, span);
    settle(own, 404, "NR");
  }

  // A place outside the topology: only the load client's proxy sees the request, and only where it knows the port's
  // protocol (facts 9.11); journeys to other places name no host.
  void add_passthrough() {
    if (journey_.host.empty() || scenario_.entry != Entry::kMesh) return;
    Hop hop;
    hop.caller = kClientService;
    hop.callee = topology_.find(topology_.entry);
    hop.method = journey_.method;
    hop.path = journey_.path.substr(0, journey_.path.find('?'));
    const size_t colon = journey_.host.rfind(':');
    hop.outside = journey_.host.substr(0, colon);
    hop.port = 80;
    if (colon != std::string::npos) hop.port = static_cast<uint16_t>(std::atoi(journey_.host.c_str() + colon + 1));
    const int own = add_proxy(-1, ProxyRole::kOutbound, kClientService, hop);
    if (own >= 0) tree_.spans[own].peer = -1;
  }

  // ---- the callee's side ----

  Answer serve(int parent, const Hop& hop, Attempt attempt) {
    if (overflow()) return {};
    const int index = hop.callee;
    const Service& service = topology_.services[index];
    int own = -1;
    if (service.meshed && captured_) {
      const size_t before = tree_.spans.size();
      parent = add_proxy(parent, ProxyRole::kInbound, index, hop);
      if (tree_.spans.size() > before) own = parent;
    }
    captured_ = true;
    if (fault(service.name, Fault::Kind::kAppDown) != nullptr) {
      settle(own, 503, "UF");
      return answer_of(503);
    }
    const Fault* fails = fault(service.name, Fault::Kind::kFail);
    const bool failing = fails != nullptr && (fails->percent >= 100 || choice_.fails[index]);
    const std::map<std::string, int> app_spans =
        add_app_spans(parent, index, failing || attempt == Attempt::kRefused ? 1 : SIZE_MAX);
    if (is_auto(service)) parent = add(auto_server_span(topology_, index, {hop.method, hop.path}, parent));
    if (attempt == Attempt::kRefused || failing) {  // a service that fails as declared makes no calls
      const int status =
          attempt == Attempt::kRefused ? fault(service.name, Fault::Kind::kRetry)->status : fails->status;
      settle(own, status, "");
      return answer_of(status);
    }
    if (!app_spans.empty()) parent = app_spans.at(service.spans[0].name);
    Answer answer = make_calls(parent, app_spans, hop);
    // A service without calls leaves the same spans whether it fails or not: then its status is not asked.
    if (fails != nullptr && service.calls.empty()) answer.status = answer.klass = 0;
    if (own >= 0) tree_.spans[own].http_status = answer.status;
    if (answer.status != 200) flag(own, "");
    return answer;
  }

  std::map<std::string, int> add_app_spans(int parent, int index, size_t most) {
    const Service& service = topology_.services[index];
    std::map<std::string, int> out;
    if (service.instrumentation != Instrumentation::kSdk) return out;
    for (size_t i = 0; i < std::min(most, service.spans.size()); ++i) {
      const AppSpan& item = service.spans[i];
      ExpectedSpan span;
      span.parent = item.parent.empty() ? (out.empty() ? parent : out[service.spans[0].name]) : out[item.parent];
      span.service = index;
      span.kind = item.kind;
      span.name = item.name;
      span.service_name = service.otel_service_name.empty() ? service.name : service.otel_service_name;
      span.http_status = 0;
      out[item.name] = add(std::move(span));
    }
    return out;
  }

  Answer make_calls(int parent, const std::map<std::string, int>& app_spans, const Hop& incoming) {
    const int index = incoming.callee;
    const Service& service = topology_.services[index];
    const int repeats = fault(service.name, Fault::Kind::kCallTwice) != nullptr ? 2 : 1;
    AppAnswer app;
    bool parallel = false;
    for (const Call& call : service.calls) {
      if (!call.when.empty() &&
          std::find(call.when.begin(), call.when.end(), maker_.workload_of(index).version) == call.when.end())
        continue;
      const auto own_parent = app_spans.find(call.parent);
      const int under = call.parent.empty() || own_parent == app_spans.end() ? parent : own_parent->second;
      const bool together = call.parallel && parallel;
      parallel = call.parallel;
      for (int i = 0; i < call.count * repeats && !overflow(); ++i) {
        app.add(add_call(under, index, call, incoming),
                together ? AppAnswer::Order::kTogether : AppAnswer::Order::kAfter);
      }
    }
    const Fault* delay = fault(service.name, Fault::Kind::kDelay);
    return app.result(delay == nullptr ? 0 : delay->delay_nanos);
  }

  Answer add_call(int parent, int caller, const Call& call, const Hop& incoming) {
    Hop hop;
    hop.caller = caller;
    hop.callee = topology_.find(call.to);
    const Service& from = topology_.services[caller];
    const Service& to = topology_.services[hop.callee];
    hop.port = call.port != 0 ? call.port : to.ports.empty() ? 8080 : to.ports[0].port;
    const PortProtocol protocol = protocol_of(to, hop.port);
    const RequestLine line = request_line(protocol, {call.method, call.path}, {incoming.method, incoming.path});
    hop.method = line.method;
    hop.path = line.path;
    const bool seen = yields_spans(maker_.expected_protocol(to, hop.port));  // by the proxies of this hop
    if (from.client_spans && from.instrumentation == Instrumentation::kSdk) {
      ExpectedSpan span;
      span.parent = parent;
      span.service = caller;
      span.peer = hop.callee;
      span.kind = SpanKind::kClient;
      span.name = client_span_name(protocol, line);
      span.service_name = from.otel_service_name.empty() ? from.name : from.otel_service_name;
      span.http_status = 0;
      parent = add(std::move(span));
    }
    if (is_auto(from)) parent = add(auto_client_span(topology_, {caller, hop.callee, hop.port, line}, parent));
    if (from.meshed && seen) return call_through_proxy(parent, std::move(hop));
    captured_ = seen;
    return serve(parent, hop, Attempt::kServed);
  }

  // Index of the new span; `parent` when this version's proxy emits nothing on this side.
  int add_proxy(int parent, ProxyRole role, int index, const Hop& hop) {
    std::optional<ExpectedSpan> span = maker_.proxy_span(role, index, hop);
    if (!span) return parent;
    span->parent = parent;
    return add(std::move(*span));
  }

  const Scenario& scenario_;
  const SpecEnvironment& claimed_;
  const Topology& topology_;
  const ProfileBinding& binding_;
  const Choice& choice_;
  const Journey& journey_;
  const ProxySpanMaker maker_;
  bool captured_ = true;  // whether the next callee's proxy sees the request: not at a direct entry or on a TCP port
  ExpectedTree tree_;
};

}  // namespace

ExpectedTree build_tree(const Scenario& scenario, const ProfileBinding& binding, const Choice& choice,
                        const Journey& journey) {
  return TreeBuilder(scenario, binding, choice, journey).build();
}

}  // namespace hopcheck::plan

#include "demo/endpoint.h"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "base/clock.h"
#include "demo/amqp_client.h"
#include "demo/redis_client.h"
#include "demo/trace_context.h"

namespace hopcheck::demo {
namespace {

constexpr uint32_t kSampledFlag = 0x001;
constexpr uint32_t kHasIsRemoteFlag = 0x100;  // trace.proto: the next bit is meaningful
constexpr uint32_t kIsRemoteFlag = 0x200;     // the parent is in another process

template <class Id>
Id random_id() {
  Id id;
  // getrandom cannot fail for so few bytes once the kernel's pool is ready; zero is not a valid id.
  while (id.is_zero()) static_cast<void>(::getrandom(id.bytes.data(), id.bytes.size(), 0));
  return id;
}

void pause_for(std::chrono::microseconds time, const std::stop_token& stop) {
  if (time.count() <= 0) return;
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, time, [] { return false; });
}

CallProtocol protocol_of(plan::PortProtocol port) {
  switch (port) {
    case plan::PortProtocol::kHttp2: return CallProtocol::kHttp2;
    case plan::PortProtocol::kGrpc: return CallProtocol::kGrpc;
    case plan::PortProtocol::kHttp:
    case plan::PortProtocol::kTcp:
    case plan::PortProtocol::kRedis:
    case plan::PortProtocol::kAmqp:  // call() has taken both before
    case plan::PortProtocol::kSniffed: break;
  }
  return CallProtocol::kHttp1;
}

// An attempt without a number (nobody retries) is the first. Envoy's proxies count them in a header.
Switchboard::Decision decide(Switchboard& switches, const HttpRequest& request) {
  Switchboard::Decision out = switches.decide();
  if (out.switches.fail_attempts == 0) return out;
  const std::vector<std::string> counts = values_of(request.headers, "x-envoy-attempt-count");
  const int attempt = counts.empty() ? 1 : std::atoi(counts.back().c_str());
  out.fail = out.fail || attempt <= out.switches.fail_attempts;
  return out;
}

struct ServerAddress {
  std::string host;
  uint16_t port = 0;
};
// Host and port of a call's base URL; the call's own port where it names none.
ServerAddress address_of(const std::string& base, uint16_t port) {
  const size_t scheme = base.find("://");
  ServerAddress out{base.substr(scheme == std::string::npos ? 0 : scheme + 3), port};
  const size_t colon = out.host.rfind(':');
  if (colon == std::string::npos) return out;
  out.port = static_cast<uint16_t>(std::atoi(out.host.c_str() + colon + 1));
  out.host.resize(colon);
  return out;
}

struct CallResult {
  std::string to;
  int status = 0;
};

struct CallOutcome {
  std::vector<CallResult> results;
  std::vector<SpanRecord> client_spans;
};

// One request. Lives on the stack of the server's thread; call_together() is the only place with more threads, and they
// touch nothing but constants and their own outcome.
class Run {
 public:
  Run(const EndpointOptions& options, const EndpointParts& parts, const HttpRequest& request,
      const std::stop_token& stop)
      : options_(options), parts_(parts), script_(options.script), request_(request), stop_(stop),
        decision_(decide(parts.switches, request)), wall_start_(system_clock().wall_unix_nanos()),
        monotonic_start_(system_clock().monotonic_nanos()), spans_(options.script.spans.size()) {}

  HttpResponse answer() {
    const bool traced = !script_.spans.empty();
    if (traced) open_server_span();
    int status = 200;
    if (decision_.fail) {
      ++parts_.counters.failed_by_switch;
      status = decision_.switches.fail_status;
    } else {
      pause_for(std::chrono::milliseconds(decision_.switches.delay_ms), stop_);
      for (const Step& step : script_.steps) take(step);
      status = overall_status();
    }
    if (traced) close_server_span(status);
    ++parts_.counters.answers[static_cast<size_t>(status / 100)];
    return body(status);
  }

 private:
  // Wall time, but never going backwards within a request.
  uint64_t now() const {
    return static_cast<uint64_t>(wall_start_ + system_clock().monotonic_nanos() - monotonic_start_);
  }

  void open_server_span() {
    const std::optional<TraceContext> incoming = extract_context(request_.headers);
    context_ = incoming ? *incoming : TraceContext{random_id<TraceId>(), SpanId{}, true, ""};
    open(0);
    SpanRecord& server = spans_[0];
    server.parent_id = incoming ? incoming->span_id : SpanId{};
    server.flags |= incoming ? kIsRemoteFlag : 0u;
    server.attributes = {{"http.request.method", request_.method},
                         {"url.path", std::string(path_of(request_.target))},
                         {"url.scheme", std::string("http")}};
    const size_t question = request_.target.find('?');
    if (question == std::string::npos) return;
    server.attributes.emplace_back("url.query", request_.target.substr(question + 1));
  }

  void close_server_span(int status) {
    spans_[0].attributes.emplace_back("http.response.status_code", int64_t{status});
    if (status >= 500) spans_[0].status = StatusCode::kError;
    close(0);
    auto& counter = context_.sampled ? parts_.counters.spans_sampled : parts_.counters.spans_unsampled;
    counter += done_.size();
    if (context_.sampled && parts_.exporter) parts_.exporter->add(std::move(done_));
  }

  SpanRecord new_span(const std::string& name, SpanKind kind) const {
    SpanRecord span;
    span.trace_id = context_.trace_id;
    span.span_id = random_id<SpanId>();
    span.kind = kind;
    span.flags = kHasIsRemoteFlag | (context_.sampled ? kSampledFlag : 0u);
    span.name = name;
    span.trace_state = context_.trace_state;
    span.start_unix_nanos = now();
    return span;
  }

  void open(int index) {
    const auto i = static_cast<size_t>(index);
    const ScriptSpan& plan = script_.spans[i];
    spans_[i] = new_span(plan.name, plan.kind);
    if (plan.parent >= 0) spans_[i].parent_id = spans_[static_cast<size_t>(plan.parent)].span_id;
    if (!decision_.fail) pause_for(std::chrono::microseconds(options_.span_micros), stop_);
  }

  void close(int index) {
    SpanRecord& span = spans_[static_cast<size_t>(index)];
    span.end_unix_nanos = now();
    done_.push_back(std::move(span));
  }

  void take(const Step& step) {
    switch (step.type) {
      case Step::Type::kOpen: return open(step.span);
      case Step::Type::kClose: return close(step.span);
      case Step::Type::kCalls: return call_together(step.calls);
    }
  }

  void call_together(const std::vector<int>& calls) {
    std::vector<CallOutcome> outcomes(calls.size());
    std::vector<std::thread> threads;
    for (size_t i = 1; i < calls.size(); ++i) {
      try {
        threads.emplace_back([this, &outcomes, &calls, i] { outcomes[i] = call(calls[i]); });
      } catch (const std::system_error&) {
        outcomes[i] = call(calls[i]);  // no more threads to be had: one after the other
      }
    }
    outcomes[0] = call(calls[0]);
    for (std::thread& thread : threads) thread.join();
    for (CallOutcome& outcome : outcomes) {
      results_.insert(results_.end(), outcome.results.begin(), outcome.results.end());
      std::move(outcome.client_spans.begin(), outcome.client_spans.end(), std::back_inserter(done_));
    }
  }

  CallOutcome call(int index) const {
    CallOutcome outcome;
    const ScriptCall& call_plan = script_.calls[static_cast<size_t>(index)];
    const std::string& base = options_.call_bases[static_cast<size_t>(index)];
    const int times = decision_.switches.call_twice ? 2 : 1;
    for (int i = 0; i < times; ++i) {
      HttpCall http;
      const plan::RequestLine line = plan::request_line(call_plan.protocol, {call_plan.method, call_plan.path},
                                                        {request_.method, std::string(path_of(request_.target))});
      http.protocol = protocol_of(call_plan.protocol);
      http.method = line.method;
      http.url = base + line.path;
      const bool grpc = http.protocol == CallProtocol::kGrpc;  // a method's path has no query
      if (const auto hop = raw_parameter(request_.target, "hop"); hop && !grpc)
        http.url += "?hop=" + safe_parameter(*hop);
      SpanRecord client;
      if (script_.client_spans) {
        client = new_span(plan::client_span_name(call_plan.protocol, line), SpanKind::kClient);
        client.parent_id = spans_[static_cast<size_t>(call_plan.span)].span_id;
      }
      http.headers = headers_of_call(script_.client_spans ? client.span_id : current_span(call_plan));
      const HttpAnswer answer = perform(http, call_plan, base);
      ++parts_.counters.calls;
      if (answer.status == 0 || answer.status >= 500) ++parts_.counters.call_failures;
      if (script_.client_spans)
        outcome.client_spans.push_back(finish_client_span(std::move(client), call_plan, http, answer));
      outcome.results.push_back({call_plan.to, answer.status});
    }
    return outcome;
  }

  // What a service does with a Redis server for a request: it writes a value of its own and reads it back.
  HttpAnswer store(const ServerAddress& at) const {
    const RedisCall redis{at.host, at.port, "hopcheck:" + to_hex(random_id<SpanId>()),
                          "written by " + options_.service};
    return redis_set_and_get(redis, parts_.client.route());
  }

  // And with an AMQP broker: it publishes a message of its own and gets it back.
  HttpAnswer hand_over(const ServerAddress& at) const {
    const AmqpCall amqp{at.host, at.port, options_.service + " " + to_hex(random_id<SpanId>())};
    return amqp_publish_and_get(amqp, parts_.client.route());
  }

  HttpAnswer perform(const HttpCall& http, const ScriptCall& call_plan, const std::string& base) const {
    switch (call_plan.protocol) {
      case plan::PortProtocol::kRedis: return store(address_of(base, call_plan.port));
      case plan::PortProtocol::kAmqp: return hand_over(address_of(base, call_plan.port));
      default: return parts_.client.perform(http, stop_);
    }
  }

  SpanId current_span(const ScriptCall& plan) const {
    return plan.span < 0 ? SpanId{} : spans_[static_cast<size_t>(plan.span)].span_id;
  }

  SpanRecord finish_client_span(SpanRecord span, const ScriptCall& call_plan, const HttpCall& http,
                                const HttpAnswer& answer) const {
    const bool redis = call_plan.protocol == plan::PortProtocol::kRedis;
    const bool amqp = call_plan.protocol == plan::PortProtocol::kAmqp;
    if (redis) {
      span.attributes = {{"db.system", std::string("redis")}};
    } else if (amqp) {
      span.attributes = {{"messaging.system", std::string("rabbitmq")}};
    } else {
      span.attributes = {{"http.request.method", http.method}, {"url.full", http.url}};
    }
    if (answer.grpc_status >= 0) {
      span.attributes.emplace_back("rpc.system", std::string("grpc"));
      span.attributes.emplace_back("rpc.grpc.status_code", int64_t{answer.grpc_status});
    } else if (answer.status > 0 && !redis && !amqp) {
      span.attributes.emplace_back("http.response.status_code", int64_t{answer.status});
    } else if (answer.status == 0) {
      span.status_message = answer.error;
    }
    if (answer.status == 0 || answer.status >= 400) span.status = StatusCode::kError;
    span.end_unix_nanos = now();
    return span;
  }

  std::vector<Header> headers_of_call(const SpanId& span) const {
    const Switches& switches = decision_.switches;
    std::vector<Header> out;
    const auto copy = [&](const char* name) {
      for (const std::string& value : values_of(request_.headers, name)) out.push_back({name, value});
    };
    switch (script_.instrumentation) {
      case Instrumentation::kNone:
      case Instrumentation::kAuto: return out;  // never compiled: no demo plays it
      case Instrumentation::kForward:
        if (!switches.drop_traceparent) copy("traceparent");
        if (!switches.drop_tracestate) copy("tracestate");
        break;
      case Instrumentation::kSdk: {
        TraceContext outgoing = context_;
        outgoing.span_id = span;
        if (!switches.drop_traceparent) out.push_back({"traceparent", traceparent_of(outgoing)});
        if (!switches.drop_tracestate && !outgoing.trace_state.empty()) {
          out.push_back({"tracestate", outgoing.trace_state});
        }
        break;
      }
    }
    if (!switches.drop_request_id) copy("x-request-id");
    return out;
  }

  int overall_status() const {
    const auto broken = [](const CallResult& result) { return result.status == 0 || result.status >= 500; };
    if (std::any_of(results_.begin(), results_.end(), broken)) return 503;
    const auto refused = std::find_if(results_.begin(), results_.end(),
                                      [](const CallResult& result) { return result.status >= 400; });
    return refused == results_.end() ? 200 : refused->status;
  }

  HttpResponse body(int status) const {
    if (!options_.body_title.empty()) {
      const std::string title = "<title>" + options_.body_title + "</title>";
      return {status, "text/html; charset=utf-8",
              "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">" + title + "</head><body></body></html>\n"};
    }
    nlohmann::ordered_json calls = nlohmann::ordered_json::array();
    for (const CallResult& result : results_) calls.push_back({{"to", result.to}, {"status", result.status}});
    const nlohmann::ordered_json answer{
        {"service", options_.service}, {"version", options_.version}, {"calls", calls}};
    return {status, "application/json", answer.dump() + "\n"};
  }

  const EndpointOptions& options_;
  const EndpointParts& parts_;
  const Script& script_;
  const HttpRequest& request_;
  const std::stop_token& stop_;
  const Switchboard::Decision decision_;
  const int64_t wall_start_;
  const int64_t monotonic_start_;
  TraceContext context_;           // the trace; span_id is the caller's
  std::vector<SpanRecord> spans_;  // by index of the script, while open
  std::vector<SpanRecord> done_;
  std::vector<CallResult> results_;
};

}  // namespace

Endpoint::Endpoint(EndpointOptions options, EndpointParts parts) : options_(std::move(options)), parts_(parts) {}

HttpResponse Endpoint::handle(const HttpRequest& request, const std::stop_token& stop) {
  ++parts_.counters.requests;
  return Run(options_, parts_, request, stop).answer();
}

}  // namespace hopcheck::demo

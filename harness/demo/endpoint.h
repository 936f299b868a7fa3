// One request of a played service: context in, spans, calls, context out, answer. Thread-safe: handle() runs
// concurrently.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "demo/exporter.h"
#include "demo/http_client.h"
#include "demo/http_types.h"
#include "demo/script.h"
#include "demo/switches.h"

namespace hopcheck::demo {

struct EndpointCounters {
  std::atomic<uint64_t> requests{0};
  std::array<std::atomic<uint64_t>, 6> answers{};  // by status / 100; [0] is not used
  std::atomic<uint64_t> failed_by_switch{0};
  std::atomic<uint64_t> calls{0};
  std::atomic<uint64_t> call_failures{0};      // no answer, or 5xx
  std::atomic<uint64_t> spans_sampled{0};      // handed to the exporter
  std::atomic<uint64_t> spans_unsampled{0};    // made, not exported
};

struct EndpointOptions {
  std::string service;
  std::string version;     // "" = none
  std::string body_title;  // "" = JSON answer
  Script script;
  std::vector<std::string> call_bases;  // "http://host:port" for each of script.calls
  int span_micros = 1'000;  // what each span does by itself, besides its children and calls
};

// What an endpoint uses and does not own; all outlive it. Without exporter spans are made and counted only.
struct EndpointParts {
  Switchboard& switches;
  HttpClient& client;
  Exporter* exporter;
  EndpointCounters& counters;
};

class Endpoint {
 public:
  Endpoint(EndpointOptions options, EndpointParts parts);

  // Answers: 200; the failure switch's status; 503 when a call got 5xx or no answer; else the first 4xx of a call.
  // Calls go on after one has failed. A requested stop ends sleeps and calls. The spans are ended when this returns,
  // so the SERVER span never outlives that of a proxy in front.
  HttpResponse handle(const HttpRequest& request, const std::stop_token& stop);

 private:
  const EndpointOptions options_;
  const EndpointParts parts_;
};

}  // namespace hopcheck::demo

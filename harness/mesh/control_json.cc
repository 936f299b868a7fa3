#include "mesh/control_json.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace hopcheck::mesh {
namespace {

using nlohmann::json;

uint64_t count(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

}  // namespace

Result<std::string> switches_of(const Fault& fault) {
  switch (fault.kind) {
    case Fault::Kind::kDrop:
      if (fault.header == "all") return json{{"drop", {"traceparent", "tracestate", "x-request-id"}}}.dump();
      return json{{"drop", json::array({fault.header})}}.dump();
    case Fault::Kind::kDelay:
      return json{{"delayMs", fault.delay_nanos / 1'000'000}}.dump();
    case Fault::Kind::kFail:
      return json{{"failPercent", static_cast<int>(fault.percent)}, {"failStatus", fault.status}}.dump();
    case Fault::Kind::kRetry:
      return json{{"failAttempts", fault.times}, {"failStatus", fault.status}}.dump();
    case Fault::Kind::kCallTwice:
      return json{{"callTwice", true}}.dump();
    case Fault::Kind::kNone:
      return "";
    default:
      return fail(ErrorKind::kUsage, std::string("fault ") + to_string(fault.kind) + " cannot be injected by the demo",
                  "it has no such switch");
  }
}

Result<run::SinkStatus> sink_status_from_json(const std::string& text) {
  const json in = json::parse(text, nullptr, false);
  if (!in.is_object())
    return fail(ErrorKind::kEvidence, "the sink's status is not JSON", printable(text.substr(0, 100)));
  run::SinkStatus status;
  status.capture_bytes = count(in, "capture_bytes");
  status.requests = count(in, "requests");
  status.spans = count(in, "spans");
  status.refused = count(in, "refused");
  status.aborted = count(in, "aborted");
  status.sealed = in.contains("sealed") && in["sealed"].is_boolean() && in["sealed"].get<bool>();
  if (in.contains("instance") && in["instance"].is_string()) status.instance = in["instance"].get<std::string>();
  return status;
}

}  // namespace hopcheck::mesh

#include "otlp/status_body.h"

#include <fmt/format.h>

#include <protozero/pbf_writer.hpp>

#include "otlp/json_text.h"

namespace hopcheck::otlp {

int grpc_code(int http_status) {
  switch (http_status) {
    case 401: return 16;  // UNAUTHENTICATED
    case 403: return 7;   // PERMISSION_DENIED
    case 404: return 5;   // NOT_FOUND
    case 405: return 12;  // UNIMPLEMENTED
    case 408: return 4;   // DEADLINE_EXCEEDED
    case 413:
    case 429:
    case 431: return 8;   // RESOURCE_EXHAUSTED
    case 502:
    case 503:
    case 504: return 14;  // UNAVAILABLE
    case 500: return 13;  // INTERNAL
    default: return 3;    // INVALID_ARGUMENT
  }
}

namespace {

std::string_view shortened(std::string_view message) {
  if (message.size() <= kMaxStatusMessage) return message;
  size_t cut = kMaxStatusMessage;
  while (cut > 0 && (static_cast<uint8_t>(message[cut]) & 0xc0) == 0x80) --cut;
  return message.substr(0, cut);
}

constexpr int64_t kNanosPerSecond = 1'000'000'000;

}  // namespace

std::string status_body(int http_status, std::string_view message, Encoding encoding) {
  message = shortened(message);
  std::string text;
  append_escaped(text, message);
  if (encoding == Encoding::kJson)
    return fmt::format("{{\"code\":{},\"message\":\"{}\"}}", grpc_code(http_status), text);
  std::string out;
  protozero::pbf_writer writer(out);
  writer.add_int32(1, grpc_code(http_status));
  writer.add_string(2, std::string(message));
  return out;
}

std::string_view success_body(Encoding encoding) { return encoding == Encoding::kJson ? "{}" : ""; }

// ExportTraceServiceResponse.partial_success = 1 {rejected_spans = 1, error_message = 2}.
std::string partial_body(Encoding encoding, uint64_t rejected_spans, std::string_view message) {
  message = shortened(message);
  if (encoding == Encoding::kJson) {
    std::string text;
    append_escaped(text, message);
    return fmt::format("{{\"partialSuccess\":{{\"rejectedSpans\":\"{}\",\"errorMessage\":\"{}\"}}}}", rejected_spans,
                       text);
  }
  std::string inner, out;
  protozero::pbf_writer partial(inner);
  if (rejected_spans > 0) partial.add_int64(1, static_cast<int64_t>(rejected_spans));
  if (!message.empty()) partial.add_string(2, std::string(message));
  protozero::pbf_writer(out).add_message(1, inner);
  return out;
}

// google.rpc.Status.details = 3 of google.protobuf.Any; RetryInfo.retry_delay = 1, a Duration
// (google/rpc/error_details.proto).
std::string grpc_status_details(int code, std::string_view message, int64_t retry_after_nanos) {
  std::string duration, info, any, status, out;
  protozero::pbf_writer delay(duration);
  delay.add_int64(1, retry_after_nanos / kNanosPerSecond);
  delay.add_int32(2, static_cast<int32_t>(retry_after_nanos % kNanosPerSecond));
  protozero::pbf_writer(info).add_message(1, duration);
  protozero::pbf_writer detail(any);
  detail.add_string(1, "type.googleapis.com/google.rpc.RetryInfo");
  detail.add_bytes(2, info);
  protozero::pbf_writer writer(status);
  writer.add_int32(1, code);
  writer.add_string(2, std::string(shortened(message)));
  writer.add_message(3, any);
  append_base64(out, status);
  while (!out.empty() && out.back() == '=') out.pop_back();
  return out;
}

const char* content_type(Encoding encoding) {
  return encoding == Encoding::kJson ? "application/json" : "application/x-protobuf";
}

}  // namespace hopcheck::otlp

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
    case 503: return 14;  // UNAVAILABLE
    case 500: return 13;  // INTERNAL
    default: return 3;    // INVALID_ARGUMENT
  }
}

std::string status_body(int http_status, std::string_view message, Encoding encoding) {
  if (message.size() > kMaxStatusMessage) {
    size_t cut = kMaxStatusMessage;
    while (cut > 0 && (static_cast<uint8_t>(message[cut]) & 0xc0) == 0x80) --cut;
    message = message.substr(0, cut);
  }
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

const char* content_type(Encoding encoding) {
  return encoding == Encoding::kJson ? "application/json" : "application/x-protobuf";
}

}  // namespace hopcheck::otlp

// The google.rpc.Status that an OTLP/HTTP server answers with (OTLP specification 1.11, "Failures"), and the body of
// success.
#pragma once

#include <string>
#include <string_view>

#include "otlp/decode.h"

namespace hopcheck::otlp {

inline constexpr size_t kMaxStatusMessage = 1024;  // a server keeps its own answers small

// gRPC's code for an HTTP status: 400 INVALID_ARGUMENT, 401 UNAUTHENTICATED, 413 RESOURCE_EXHAUSTED, 503 UNAVAILABLE …
int grpc_code(int http_status);
// Message cut to kMaxStatusMessage, at a character boundary.
std::string status_body(int http_status, std::string_view message, Encoding encoding);
// An ExportTraceServiceResponse with partial_success unset: nothing in protobuf, {} in JSON.
std::string_view success_body(Encoding encoding);
const char* content_type(Encoding encoding);

}  // namespace hopcheck::otlp

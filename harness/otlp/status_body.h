// The google.rpc.Status that an OTLP server answers with (OTLP specification 1.11, "Failures"), and the body of
// success, whole or partial.
#pragma once

#include <cstdint>
#include <optional>
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
// One with partial_success: spans that were not taken, and why; 0 and a message is a warning.
std::string partial_body(Encoding encoding, uint64_t rejected_spans, std::string_view message);
// What gRPC's trailer grpc-status-details-bin holds: the Status in base64 without padding, with a RetryInfo that asks
// to wait so long. Senders try RESOURCE_EXHAUSTED again only with it.
std::string grpc_status_details(int code, std::string_view message, int64_t retry_after_nanos);
const char* content_type(Encoding encoding);

}  // namespace hopcheck::otlp

// gRPC over HTTP/2, unary calls (github.com/grpc/grpc doc/PROTOCOL-HTTP2.md): one message each way behind a prefix of
// five bytes, the outcome in the trailers grpc-status and grpc-message. Pure; what a message holds is the caller's.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "h2/session.h"

namespace hopcheck::h2 {

inline constexpr std::string_view kGrpcContentType = "application/grpc";
inline constexpr size_t kGrpcPrefixBytes = 5;

// "application/grpc", also with "+proto" or parameters behind it; not grpc-web.
bool is_grpc(std::string_view content_type);

struct GrpcMessage {
  bool compressed = false;  // by what the header grpc-encoding names
  std::string_view bytes;
};
// The one message of a unary body. kEvidence: no or part of a message, more than one, a prefix that is none.
Result<GrpcMessage> unary_message(std::string_view body);
std::string grpc_frame(std::string_view message);

// Status codes and the HTTP codes they stand for: the table in google/rpc/code.proto. 0 OK … 16 UNAUTHENTICATED.
enum GrpcStatus : int {
  kOk = 0,
  kInvalidArgument = 3,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
};
const char* grpc_name(int code);    // "UNAVAILABLE"; "?" when there is none
int http_of_grpc(int code);         // 503 of 14; 500 of a code that is none
int grpc_of_http(int http_status);  // the code of that table; the nearest class for HTTP codes that it lacks

// grpc-message is percent-encoded: anything but visible ASCII and the space, and '%' itself (PROTOCOL-HTTP2.md).
std::string encode_grpc_message(std::string_view text);

// A whole answer: 200, the message when there is one, then the trailers. Without message and with an error the trailers
// are the only header block, as servers send it.
Response grpc_response(int code, std::string_view message_bytes, std::string_view text = {});

}  // namespace hopcheck::h2

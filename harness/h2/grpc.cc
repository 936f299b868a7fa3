#include "h2/grpc.h"

#include <array>

namespace hopcheck::h2 {
namespace {

struct Row {
  const char* name;
  int http;
};
// google/rpc/code.proto, "HTTP Mapping" of each code.
constexpr std::array<Row, 17> kTable{{{"OK", 200},
                                      {"CANCELLED", 499},
                                      {"UNKNOWN", 500},
                                      {"INVALID_ARGUMENT", 400},
                                      {"DEADLINE_EXCEEDED", 504},
                                      {"NOT_FOUND", 404},
                                      {"ALREADY_EXISTS", 409},
                                      {"PERMISSION_DENIED", 403},
                                      {"RESOURCE_EXHAUSTED", 429},
                                      {"FAILED_PRECONDITION", 400},
                                      {"ABORTED", 409},
                                      {"OUT_OF_RANGE", 400},
                                      {"UNIMPLEMENTED", 501},
                                      {"INTERNAL", 500},
                                      {"UNAVAILABLE", 503},
                                      {"DATA_LOSS", 500},
                                      {"UNAUTHENTICATED", 401}}};

bool known(int code) { return code >= 0 && code < static_cast<int>(kTable.size()); }

Error bad(const char* why) { return {ErrorKind::kEvidence, "no unary gRPC message", why, ""}; }

}  // namespace

bool is_grpc(std::string_view content_type) {
  if (!content_type.starts_with(kGrpcContentType)) return false;
  const std::string_view rest = content_type.substr(kGrpcContentType.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';';
}

Result<GrpcMessage> unary_message(std::string_view body) {
  if (body.size() < kGrpcPrefixBytes) return tl::unexpected(bad("the body ends within the prefix"));
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(body[i])); };
  if (byte(0) > 1) return tl::unexpected(bad("the compression flag is neither 0 nor 1"));
  const uint64_t length = (uint64_t{byte(1)} << 24) | (byte(2) << 16) | (byte(3) << 8) | byte(4);
  const uint64_t have = body.size() - kGrpcPrefixBytes;
  if (have < length) return tl::unexpected(bad("the body ends within the message"));
  if (have > length) return tl::unexpected(bad("something follows the message"));
  return GrpcMessage{byte(0) == 1, body.substr(kGrpcPrefixBytes)};
}

std::string grpc_frame(std::string_view message) {
  const auto length = static_cast<uint32_t>(message.size());
  std::string out(kGrpcPrefixBytes, '\0');
  for (size_t i = 1; i < kGrpcPrefixBytes; ++i) out[i] = static_cast<char>((length >> (8 * (4 - i))) & 0xff);
  return out.append(message);
}

const char* grpc_name(int code) { return known(code) ? kTable[static_cast<size_t>(code)].name : "?"; }
int http_of_grpc(int code) { return known(code) ? kTable[static_cast<size_t>(code)].http : 500; }

int grpc_of_http(int http_status) {
  if (http_status >= 200 && http_status < 300) return kOk;
  if (http_status == 500) return kInternal;
  for (size_t code = 1; code < kTable.size(); ++code) {
    if (kTable[code].http == http_status && code != 2) return static_cast<int>(code);
  }
  return http_status >= 400 && http_status < 500 ? kInvalidArgument : http_status >= 500 ? kInternal : 2;
}

std::string encode_grpc_message(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out += c;
      continue;
    }
    const auto value = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[value >> 4];
    out += kHex[value & 15];
  }
  return out;
}

Response grpc_response(int code, std::string_view message_bytes, std::string_view text) {
  Response out;
  out.fields = {{"content-type", std::string(kGrpcContentType)}};
  std::vector<Field> trailers{{"grpc-status", std::to_string(code)}};
  if (!text.empty()) trailers.push_back({"grpc-message", encode_grpc_message(text)});
  if (code != kOk && message_bytes.empty()) {
    out.fields.insert(out.fields.end(), trailers.begin(), trailers.end());
    return out;
  }
  out.body = grpc_frame(message_bytes);
  out.trailers = std::move(trailers);
  return out;
}

}  // namespace hopcheck::h2

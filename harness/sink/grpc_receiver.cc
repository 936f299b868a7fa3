#include "sink/grpc_receiver.h"

#include "h2/grpc.h"
#include "otlp/status_body.h"
#include "sink/receiver.h"

namespace hopcheck::sink {

namespace {

constexpr std::string_view kExport = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr const char* kAcceptEncoding = "identity,gzip,deflate,zstd";

// A trailers-only answer carries them as its header fields.
Reply grpc_reply(int code, std::string_view text, std::string_view message = {}) {
  Reply reply;
  reply.content_type = h2::kGrpcContentType;
  std::vector<std::pair<std::string, std::string>> outcome{{"grpc-status", std::to_string(code)}};
  if (!text.empty()) {
    outcome.emplace_back("grpc-message", h2::encode_grpc_message(text.substr(0, otlp::kMaxStatusMessage)));
  }
  if (code == h2::kUnimplemented) reply.fields.emplace_back("grpc-accept-encoding", kAcceptEncoding);
  if (code == h2::kOk) {
    reply.body = h2::grpc_frame(message);
    reply.trailers = std::move(outcome);
    return reply;
  }
  reply.fields.insert(reply.fields.end(), outcome.begin(), outcome.end());
  return reply;
}

class GrpcExchange : public TraceExchange {
 public:
  GrpcExchange(Intake& intake, const RequestHead& head) : TraceExchange(intake, store::FrameTransport::kGrpc, head) {
    admit(head, examine(head));
  }

 private:
  std::optional<Refusal> examine(const RequestHead& head);
  std::optional<std::string_view> message(const std::string& body, Refusal& wrong) override;
  Reply render(const Outcome& outcome) const override;

  bool names_coding_ = false;
};

std::optional<TraceExchange::Refusal> GrpcExchange::examine(const RequestHead& head) {
  if (head.method != "POST") return Refusal{400, "bad-request", "the method must be POST", h2::kInternal};
  const std::string_view type = head.field("content-type").value_or("");
  const std::string_view subtype =
      type.substr(h2::kGrpcContentType.size(), type.find(';') - h2::kGrpcContentType.size());
  if (!subtype.empty() && subtype != "+proto") {
    return Refusal{415, "content-type", "only application/grpc and application/grpc+proto are served here",
                   h2::kUnimplemented};
  }
  if (head.field("te").value_or("") != "trailers") {
    return Refusal{400, "bad-request", "te: trailers is missing", h2::kInternal};
  }
  if (head.count("grpc-encoding") > 1) {
    return Refusal{400, "content-encoding", "grpc-encoding is there more than once", h2::kInternal};
  }
  const std::string_view name = trim(head.field("grpc-encoding").value_or(""));
  const std::optional<otlp::ContentEncoding> coding = coding_named(name);
  if (!coding) {
    return Refusal{415, "content-encoding", std::string("grpc-encoding must be one of ") + kAcceptEncoding,
                   h2::kUnimplemented};
  }
  coding_ = *coding;
  names_coding_ = *coding != otlp::ContentEncoding::kIdentity;
  return std::nullopt;
}

std::optional<std::string_view> GrpcExchange::message(const std::string& body, Refusal& wrong) {
  const Result<h2::GrpcMessage> found = h2::unary_message(body);
  if (!found) {
    wrong = {400, "bad-request", found.error().what + ": " + found.error().why};
    return std::nullopt;
  }
  if (found->compressed && !names_coding_) {
    wrong = {400, "bad-request", "the message is marked as compressed, and grpc-encoding names no compression",
             h2::kInternal};
    return std::nullopt;
  }
  if (!found->compressed) coding_ = otlp::ContentEncoding::kIdentity;
  return found->bytes;
}

Reply GrpcExchange::render(const Outcome& outcome) const {
  const int code = outcome.grpc >= 0         ? outcome.grpc
                   : outcome.status == 200 ? static_cast<int>(h2::kOk)
                                             : otlp::grpc_code(outcome.status);
  if (outcome.rejected) {
    return grpc_reply(code, "", otlp::partial_body(otlp::Encoding::kProtobuf, *outcome.rejected, outcome.message));
  }
  Reply reply = grpc_reply(code, outcome.message);
  if (outcome.retry_after_nanos) {
    reply.fields.emplace_back("grpc-status-details-bin",
                              otlp::grpc_status_details(code, outcome.message, *outcome.retry_after_nanos));
  }
  return reply;
}

}  // namespace

uint64_t GrpcReceiver::body_limit() const { return intake_.options.max_body_bytes + h2::kGrpcPrefixBytes; }

std::unique_ptr<Exchange> GrpcReceiver::begin(const RequestHead& head) {
  if (!h2::is_grpc(head.field("content-type").value_or(""))) {
    intake_.tally.stray();
    return answered({415, "text/plain; charset=utf-8", "only gRPC is served here\n", {}, {}, {}});
  }
  if (head.target == kExport) return std::make_unique<GrpcExchange>(intake_, head);
  intake_.tally.stray();
  return answered(grpc_reply(h2::kUnimplemented, "only " + std::string(kExport) + " is served here"));
}

Reply GrpcReceiver::malformed(int status) {
  intake_.tally.stray();
  return grpc_reply(otlp::grpc_code(status), "header larger than 64 KiB or 200 fields");
}

}  // namespace hopcheck::sink

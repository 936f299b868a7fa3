#include "sink/receiver.h"

#include "base/text.h"
#include "otlp/status_body.h"

namespace hopcheck::sink {

namespace {

constexpr size_t kMaxNamedPath = 200;
constexpr int64_t kNanosPerSecond = 1'000'000'000;

std::optional<otlp::Encoding> encoding_of(const RequestHead& head) {
  const std::optional<std::string_view> type = head.field("content-type");
  if (!type) return std::nullopt;
  const std::string_view media = trim(type->substr(0, type->find(';')));
  if (equal_ignoring_case(media, "application/x-protobuf")) return otlp::Encoding::kProtobuf;
  if (equal_ignoring_case(media, "application/json")) return otlp::Encoding::kJson;
  return std::nullopt;
}

Reply status_reply(int status, std::string_view message, otlp::Encoding encoding) {
  Reply reply;
  reply.status = status;
  reply.content_type = otlp::content_type(encoding);
  reply.body = otlp::status_body(status, message, encoding);
  if (status == 405) reply.fields.emplace_back("Allow", "POST");
  return reply;
}

class Answered : public Exchange {
 public:
  explicit Answered(Reply reply) : reply_(std::move(reply)) {}
  std::optional<Reply> early_reply() override { return reply_; }
  std::optional<Reply> finish(const std::string&) override { return reply_; }
  Reply failed(BodyFailure) override { return reply_; }

 private:
  Reply reply_;
};

class HttpExchange : public TraceExchange {
 public:
  HttpExchange(Intake& intake, const RequestHead& head) : TraceExchange(intake, store::FrameTransport::kHttp, head) {
    encoding_ = encoding_of(head).value_or(otlp::Encoding::kJson);
    admit(head, examine(head));
  }

 private:
  std::optional<Refusal> examine(const RequestHead& head);
  std::optional<std::string_view> message(const std::string& body, Refusal&) override { return body; }
  Reply render(const Outcome& outcome) const override;
};

std::optional<TraceExchange::Refusal> HttpExchange::examine(const RequestHead& head) {
  if (head.count("transfer-encoding") > 0 && !head.chunked) {
    return Refusal{400, "bad-request", "transfer encoding other than chunked"};
  }
  if (!head.chunked && !head.content_length) {
    return Refusal{411, "length-required", "neither Content-Length nor chunked"};
  }
  if (!encoding_of(head)) {
    return Refusal{415, "content-type", "Content-Type must be application/x-protobuf or application/json"};
  }
  const std::string unknown = "Content-Encoding must be gzip, deflate or zstd";
  const size_t count = head.count("content-encoding");
  const std::string_view name = count == 1 ? trim(*head.field("content-encoding")) : std::string_view();
  if (count > 1 || name.find(',') != std::string_view::npos) return Refusal{400, "content-encoding", unknown};
  const std::optional<otlp::ContentEncoding> coding = coding_named(name);
  if (!coding) return Refusal{415, "content-encoding", unknown};
  coding_ = *coding;
  return std::nullopt;
}

Reply HttpExchange::render(const Outcome& outcome) const {
  if (outcome.status != 200) {
    Reply reply = status_reply(outcome.status, outcome.message, encoding_);
    // Whole seconds (RFC 9110 section 10.2.3): never less than what is asked for.
    const int64_t nanos = outcome.retry_after_nanos.value_or(0);
    if (outcome.retry_after_nanos) {
      reply.fields.emplace_back("Retry-After", std::to_string((nanos + kNanosPerSecond - 1) / kNanosPerSecond));
    }
    return reply;
  }
  Reply reply;
  reply.content_type = otlp::content_type(encoding_);
  reply.body = outcome.rejected ? otlp::partial_body(encoding_, *outcome.rejected, outcome.message)
                                : std::string(otlp::success_body(encoding_));
  return reply;
}

}  // namespace

std::unique_ptr<Exchange> answered(Reply reply) { return std::make_unique<Answered>(std::move(reply)); }

std::unique_ptr<Exchange> HttpReceiver::begin(const RequestHead& head) {
  const bool traces = path_and_query(head.target).first == "/v1/traces";
  if (traces && head.method == "POST") return std::make_unique<HttpExchange>(intake_, head);
  intake_.tally.stray();
  if (!traces && head.method == "POST") {
    const std::string path = printable(path_and_query(head.target).first.substr(0, kMaxNamedPath));
    intake_.name_once("wrong-path", std::string(head.peer) + " posts to " + path +
                                        ", which is not served: OTLP/HTTP has /v1/traces");
  }
  const otlp::Encoding encoding = encoding_of(head).value_or(otlp::Encoding::kJson);
  return answered(traces ? status_reply(405, "only POST is served here", encoding)
                         : status_reply(404, "only /v1/traces is served here", encoding));
}

Reply HttpReceiver::malformed(int status) {
  intake_.tally.stray();
  const char* message = status == 431   ? "header larger than 64 KiB or 200 fields"
                        : status == 408 ? "the header did not arrive in time"
                                        : "malformed HTTP request";
  return status_reply(status, message, otlp::Encoding::kJson);
}

}  // namespace hopcheck::sink

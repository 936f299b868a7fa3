#include "sink/receiver.h"

#include <algorithm>

#include "base/text.h"
#include "otlp/status_body.h"

namespace hopcheck::sink {

namespace {

constexpr size_t kMaxKeptValue = 1024;
// Senders' headers that may be stored; no other ever is.
constexpr std::string_view kKeptHeaders[] = {"content-type", "content-encoding", "user-agent", "custom-header"};

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<otlp::Encoding> encoding_of(const RequestHead& head) {
  const std::optional<std::string_view> type = head.field("content-type");
  if (!type) return std::nullopt;
  const std::string_view media = trim(type->substr(0, type->find(';')));
  if (equal_ignoring_case(media, "application/x-protobuf")) return otlp::Encoding::kProtobuf;
  if (equal_ignoring_case(media, "application/json")) return otlp::Encoding::kJson;
  return std::nullopt;
}

struct Coding {
  otlp::ContentEncoding coding = otlp::ContentEncoding::kIdentity;
  int status = 200;  // 400: more than one; 415: not one of ours
};

Coding coding_of(const RequestHead& head) {
  using otlp::ContentEncoding;
  const size_t count = head.count("content-encoding");
  if (count == 0) return {};
  if (count > 1) return {ContentEncoding::kIdentity, 400};
  const std::string_view name = trim(*head.field("content-encoding"));
  if (name.find(',') != std::string_view::npos) return {ContentEncoding::kIdentity, 400};
  if (name.empty() || equal_ignoring_case(name, "identity")) return {};
  if (equal_ignoring_case(name, "gzip") || equal_ignoring_case(name, "x-gzip")) return {ContentEncoding::kGzip, 200};
  if (equal_ignoring_case(name, "deflate")) return {ContentEncoding::kDeflate, 200};
  if (equal_ignoring_case(name, "zstd")) return {ContentEncoding::kZstd, 200};
  return {ContentEncoding::kIdentity, 415};
}

Reply status_reply(int status, std::string_view message, otlp::Encoding encoding) {
  Reply reply;
  reply.status = status;
  reply.content_type = otlp::content_type(encoding);
  reply.body = otlp::status_body(status, message, encoding);
  if (status == 405) reply.fields.emplace_back("Allow", "POST");
  if (status == 503) reply.fields.emplace_back("Retry-After", "1");
  return reply;
}

// A request that is no trace export.
class StrayExchange : public Exchange {
 public:
  explicit StrayExchange(Reply reply) : reply_(std::move(reply)) {}
  std::optional<Reply> early_reply() override { return reply_; }
  std::optional<Reply> finish(const std::string&) override { return reply_; }
  Reply failed(BodyFailure) override { return reply_; }

 private:
  Reply reply_;
};

}  // namespace

class TraceExchange : public Exchange {
 public:
  TraceExchange(Receiver& receiver, const RequestHead& head) : receiver_(receiver), peer_(head.peer) {
    // The header we ask for holds a secret: never stored, even when its name is on the list.
    for (const auto& [name, value] : head.fields) {
      const bool kept = std::any_of(std::begin(kKeptHeaders), std::end(kKeptHeaders),
                                    [n = name](std::string_view keep) { return equal_ignoring_case(n, keep); });
      if (!kept || equal_ignoring_case(name, receiver_.options_.expect_header) || headers_.size() >= 8) continue;
      headers_.emplace_back(name, value.substr(0, kMaxKeptValue));
    }
    encoding_ = encoding_of(head).value_or(otlp::Encoding::kJson);
    early_ = examine(head);
  }

  std::optional<Reply> early_reply() override { return early_; }
  std::optional<Reply> finish(const std::string& body) override;
  Reply failed(BodyFailure why) override;

 private:
  std::optional<Reply> examine(const RequestHead& head);
  Reply refuse(int status, const std::string& reason, std::string_view message);
  store::Frame frame(uint16_t status) const;

  Receiver& receiver_;
  std::string peer_;
  std::vector<std::pair<std::string, std::string>> headers_;
  otlp::Encoding encoding_ = otlp::Encoding::kJson;
  otlp::ContentEncoding coding_ = otlp::ContentEncoding::kIdentity;
  std::optional<Reply> early_;
};

store::Frame TraceExchange::frame(uint16_t status) const {
  store::Frame out;
  out.arrival_unix_nanos = static_cast<uint64_t>(receiver_.clock_.wall_unix_nanos());
  out.encoding = encoding_;
  out.content_encoding = coding_;
  out.status = status;
  out.peer = peer_;
  for (const auto& [name, value] : headers_) out.headers.emplace_back(name, value);
  return out;
}

Reply TraceExchange::refuse(int status, const std::string& reason, std::string_view message) {
  receiver_.tally_.refused(reason);
  // If even this cannot be written, the count of the running sink still has it.
  if (const auto kept = receiver_.capture_.append(frame(static_cast<uint16_t>(status)));
      !kept && receiver_.options_.log) {
    receiver_.options_.log("a refused body left no frame: " + kept.error().what + ": " + kept.error().why);
  }
  return status_reply(status, message, encoding_);
}

// Everything that can be said before the body is read; the token first.
std::optional<Reply> TraceExchange::examine(const RequestHead& head) {
  const ReceiverOptions& options = receiver_.options_;
  if (!options.expect_header.empty()) {
    const std::optional<std::string_view> shown = head.field(options.expect_header);
    if (!shown || !options.expect_value.matches(*shown)) {
      return refuse(401, "unauthorized", "header " + options.expect_header + " is missing or has another value");
    }
  }
  if (head.count("transfer-encoding") > 0 && !head.chunked) {
    return refuse(400, "bad-request", "transfer encoding other than chunked");
  }
  if (!head.chunked && !head.content_length)
    return refuse(411, "length-required", "neither Content-Length nor chunked");
  if (!encoding_of(head)) {
    return refuse(415, "content-type", "Content-Type must be application/x-protobuf or application/json");
  }
  const Coding coding = coding_of(head);
  if (coding.status != 200)
    return refuse(coding.status, "content-encoding", "Content-Encoding must be gzip, deflate or zstd");
  coding_ = coding.coding;
  if (head.content_length.value_or(0) > options.max_body_bytes) return failed(BodyFailure::kTooLarge);
  return std::nullopt;
}

Reply TraceExchange::failed(BodyFailure why) {
  switch (why) {
    case BodyFailure::kTooLarge:
      return refuse(413, "too-large",
                    "body is larger than " + std::to_string(receiver_.options_.max_body_bytes) + " bytes");
    case BodyFailure::kMalformed: return refuse(400, "bad-request", "malformed body framing");
    case BodyFailure::kTooSlow: return refuse(408, "too-slow", "the body did not arrive in time");
    case BodyFailure::kOverloaded: return refuse(503, "overloaded", "too many bodies at once");
    case BodyFailure::kAborted: break;
  }
  receiver_.tally_.aborted();
  if (const auto kept = receiver_.capture_.append(frame(499)); !kept && receiver_.options_.log) {
    receiver_.options_.log("an aborted body left no frame: " + kept.error().what + ": " + kept.error().why);
  }
  return {};
}

std::optional<Reply> TraceExchange::finish(const std::string& body) {
  Arena arena;
  std::vector<Span> spans;
  const auto plain = otlp::decompress(body, coding_, receiver_.options_.max_body_bytes, arena);
  if (!plain) {
    if (plain.error().why == "too large") return failed(BodyFailure::kTooLarge);
    return refuse(400, "undecodable", plain.error().what);
  }
  const auto notes = encoding_ == otlp::Encoding::kJson ? otlp::decode_json_in_place(*plain, arena, spans)
                                                        : otlp::decode_protobuf(*plain, arena, spans);
  if (!notes) return refuse(400, "undecodable", printable(notes.error().what));
  store::Frame kept = frame(200);
  kept.body = body;
  if (const auto stored = receiver_.capture_.append(kept); !stored) {
    receiver_.tally_.refused("not-stored");
    if (receiver_.options_.log)
      receiver_.options_.log("not stored: " + stored.error().what + ": " + stored.error().why);
    return status_reply(503, "the body could not be stored", encoding_);
  }
  receiver_.tally_.accepted(spans, *notes, body.size());
  Reply reply;
  reply.content_type = otlp::content_type(encoding_);
  reply.body = otlp::success_body(encoding_);
  return reply;
}

Receiver::Receiver(ReceiverOptions options, store::CaptureWriter& capture, Tally& tally, const Clock& clock)
    : options_(std::move(options)), capture_(capture), tally_(tally), clock_(clock) {
  options_.max_body_bytes = std::min<uint64_t>(options_.max_body_bytes, otlp::kMaxBodyBytes);
}

std::unique_ptr<Exchange> Receiver::begin(const RequestHead& head) {
  const bool traces = path_and_query(head.target).first == "/v1/traces";
  if (traces && head.method == "POST") return std::make_unique<TraceExchange>(*this, head);
  tally_.stray();
  const otlp::Encoding encoding = encoding_of(head).value_or(otlp::Encoding::kJson);
  return std::make_unique<StrayExchange>(traces ? status_reply(405, "only POST is served here", encoding)
                                                : status_reply(404, "only /v1/traces is served here", encoding));
}

Reply Receiver::malformed(int status) {
  tally_.stray();
  const char* message = status == 431   ? "header larger than 64 KiB or 200 fields"
                        : status == 408 ? "the header did not arrive in time"
                                        : "malformed HTTP request";
  return status_reply(status, message, otlp::Encoding::kJson);
}

}  // namespace hopcheck::sink

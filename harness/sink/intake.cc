#include "sink/intake.h"

#include <algorithm>

#include "base/text.h"
#include "h2/grpc.h"
#include "otlp/status_body.h"
#include "store/capture_format.h"

namespace hopcheck::sink {

namespace {

constexpr int64_t kSoon = 1'000'000'000;  // what we ask for when it is we who have trouble
constexpr size_t kMaxKeptValue = 1024;
constexpr size_t kMaxKeptHeaders = 8;
// Senders' headers that may be stored; no other ever is.
constexpr std::string_view kKeptHeaders[] = {"content-type", "content-encoding", "grpc-encoding", "user-agent",
                                             "custom-header"};

void log_lost_frame(const Intake& intake, const char* what, const Error& error) {
  if (intake.options.log) intake.options.log(std::string(what) + " left no frame: " + error.what + ": " + error.why);
}

}  // namespace

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<otlp::ContentEncoding> coding_named(std::string_view name) {
  using otlp::ContentEncoding;
  if (name.empty() || equal_ignoring_case(name, "identity")) return ContentEncoding::kIdentity;
  if (equal_ignoring_case(name, "gzip") || equal_ignoring_case(name, "x-gzip")) return ContentEncoding::kGzip;
  if (equal_ignoring_case(name, "deflate")) return ContentEncoding::kDeflate;
  if (equal_ignoring_case(name, "zstd")) return ContentEncoding::kZstd;
  return std::nullopt;
}

Intake::Intake(ReceiverOptions the_options, store::CaptureWriter& the_capture, Tally& the_tally, const Clock& the_clock)
    : options(std::move(the_options)), capture(the_capture), tally(the_tally), clock(the_clock) {
  options.max_body_bytes = std::min<uint64_t>(options.max_body_bytes, otlp::kMaxBodyBytes);
}

void Intake::name_once(const std::string& what, const std::string& line) {
  tally.mismatched(what);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (named_.size() >= kMostNamed || !named_.insert(line).second) return;
  }
  if (options.log) options.log(line);
}

TraceExchange::TraceExchange(Intake& intake, store::FrameTransport transport, const RequestHead& head)
    : intake_(intake), transport_(transport), peer_(head.peer) {
  // The header we ask for holds a secret: never stored, even when its name is on the list.
  for (const auto& [name, value] : head.fields) {
    const bool kept = std::any_of(std::begin(kKeptHeaders), std::end(kKeptHeaders),
                                  [n = name](std::string_view keep) { return equal_ignoring_case(n, keep); });
    if (!kept || equal_ignoring_case(name, intake_.options.expect_header) || headers_.size() >= kMaxKeptHeaders) {
      continue;
    }
    headers_.emplace_back(name, value.substr(0, kMaxKeptValue));
  }
}

// Everything that can be said before the body is read; the token first.
void TraceExchange::admit(const RequestHead& head, std::optional<Refusal> wrong) {
  const ReceiverOptions& options = intake_.options;
  if (!options.expect_header.empty()) {
    const std::optional<std::string_view> shown = head.field(options.expect_header);
    if (!shown || !options.expect_value.matches(*shown)) {
      wrong = Refusal{401, "unauthorized", "header " + options.expect_header + " is missing or has another value"};
    }
  }
  if (wrong) {
    early_ = refuse(std::move(*wrong));
  } else if (head.content_length.value_or(0) > options.max_body_bytes) {
    early_ = failed(BodyFailure::kTooLarge);
  }
}

store::Frame TraceExchange::frame(uint16_t status) const {
  store::Frame out;
  out.arrival_unix_nanos = static_cast<uint64_t>(intake_.clock.wall_unix_nanos());
  out.transport = transport_;
  out.encoding = encoding_;
  out.content_encoding = coding_;
  out.status = status;
  out.peer = peer_;
  for (const auto& [name, value] : headers_) out.headers.emplace_back(name, value);
  return out;
}

Reply TraceExchange::refuse(Refusal refusal) {
  intake_.tally.refused(transport_, refusal.reason, refusal.spans);
  // If even this cannot be written, the count of the running sink still has it.
  if (const auto kept = intake_.capture.append(frame(static_cast<uint16_t>(refusal.status))); !kept) {
    log_lost_frame(intake_, "a refused body", kept.error());
  }
  return render({refusal.status, refusal.grpc, std::move(refusal.message), refusal.retry_after_nanos, std::nullopt});
}

Reply TraceExchange::failed(BodyFailure why) {
  switch (why) {
    case BodyFailure::kTooLarge:
      return refuse(
          {413, "too-large", "body is larger than " + std::to_string(intake_.options.max_body_bytes) + " bytes"});
    case BodyFailure::kMalformed: return refuse({400, "bad-request", "malformed body framing"});
    case BodyFailure::kTooSlow: return refuse({408, "too-slow", "the body did not arrive in time"});
    case BodyFailure::kOverloaded: return refuse({503, "overloaded", "too many bodies at once", -1, kSoon});
    case BodyFailure::kAborted: break;
  }
  if (answer_)
    return refuse({408, "too-late", "", -1, std::nullopt, waiting_spans_});  // it did not wait for our answer
  intake_.tally.aborted(transport_);
  if (const auto kept = intake_.capture.append(frame(store::kStatusAborted)); !kept) {
    log_lost_frame(intake_, "an aborted body", kept.error());
  }
  return {};
}

struct TraceExchange::Decoded {
  Arena arena;
  std::vector<Span> spans;
  otlp::DecodeNotes notes;
  std::string_view packed;  // as received; in the body
};

// A reply when there is nothing to decode.
std::optional<Reply> TraceExchange::decode(const std::string& body, Decoded& out) {
  Refusal wrong;
  const std::optional<std::string_view> packed = message(body, wrong);
  if (!packed) return refuse(std::move(wrong));
  const auto plain = otlp::decompress(*packed, coding_, intake_.options.max_body_bytes, out.arena);
  if (!plain) {
    if (plain.error().why == "too large") return failed(BodyFailure::kTooLarge);
    return refuse({400, "undecodable", plain.error().what});
  }
  auto notes = encoding_ == otlp::Encoding::kJson ? otlp::decode_json_in_place(*plain, out.arena, out.spans)
                                                  : otlp::decode_protobuf(*plain, out.arena, out.spans);
  if (!notes) return refuse({400, "undecodable", printable(notes.error().what)});
  out.notes = std::move(*notes);
  out.packed = *packed;
  return std::nullopt;
}

std::optional<Reply> TraceExchange::finish(const std::string& body) {
  if (answer_ && intake_.clock.monotonic_nanos() < due_nanos_) return std::nullopt;
  Decoded decoded;
  if (auto refused = decode(body, decoded)) return refused;
  if (!answer_) {
    answer_ = intake_.answers.next(intake_.clock.monotonic_nanos());
    waiting_spans_ = decoded.spans.size();
    if (answer_->delay_nanos > 0) {
      due_nanos_ = intake_.clock.monotonic_nanos() + answer_->delay_nanos;
      return std::nullopt;
    }
  }
  const Answer& answer = *answer_;
  const bool taken = answer.kind == Answer::Kind::kOk || answer.kind == Answer::Kind::kPartial;
  return taken ? take(decoded) : answer_as_scripted(answer, decoded.spans.size());
}

Reply TraceExchange::answer_as_scripted(const Answer& answer, uint64_t spans) {
  if (answer.kind == Answer::Kind::kReset) {
    Reply reply = refuse({store::kStatusReset, "scripted-reset", "", -1, std::nullopt, spans});
    reply.connection = Reply::Connection::kReset;
    return reply;
  }
  Refusal refusal;
  refusal.grpc = answer.grpc_code ? *answer.grpc_code : otlp::grpc_code(answer.http_status.value_or(503));
  // The frame's status; what it keeps for aborted bodies is not to be taken for one.
  refusal.status = answer.http_status ? *answer.http_status : h2::http_of_grpc(refusal.grpc);
  if (refusal.status == store::kStatusAborted) refusal.status = 500;
  refusal.reason = answer.http_status ? "scripted-" + std::to_string(*answer.http_status)
                                      : std::string("scripted-") + h2::grpc_name(refusal.grpc);
  refusal.message = answer.message.empty() ? "refused, as the script says" : answer.message;
  refusal.retry_after_nanos = answer.retry_after_nanos;
  refusal.spans = spans;
  return refuse(std::move(refusal));
}

// Stored, counted, acknowledged; all of it but what a partial success leaves out.
Reply TraceExchange::take(const Decoded& decoded) {
  const bool partial = answer_->kind == Answer::Kind::kPartial;
  const uint64_t rejected = partial ? std::min<uint64_t>(answer_->rejected, decoded.spans.size()) : 0;
  store::Frame kept = frame(200);
  kept.body = decoded.packed;
  const std::string count = std::to_string(rejected);
  if (rejected > 0) kept.headers.emplace_back(store::kRejectedSpans, count);
  if (const auto stored = intake_.capture.append(kept); !stored) {
    intake_.tally.refused(transport_, "not-stored", decoded.spans.size());
    if (intake_.options.log) intake_.options.log("not stored: " + stored.error().what + ": " + stored.error().why);
    return render({503, -1, "the body could not be stored", kSoon, std::nullopt});
  }
  const size_t size = decoded.packed.size();
  intake_.tally.accepted(transport_, {decoded.spans.data(), decoded.spans.size() - rejected}, decoded.notes, size);
  if (rejected > 0) intake_.tally.rejected(rejected);
  Outcome outcome;
  if (partial) {
    outcome.rejected = rejected;
    outcome.message = answer_->message.empty() ? "rejected, as the script says" : answer_->message;
  }
  return render(outcome);
}

}  // namespace hopcheck::sink

#include "sink/intake.h"

#include <algorithm>

#include "base/text.h"

namespace hopcheck::sink {

namespace {

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
  intake_.tally.refused(transport_, refusal.reason);
  // If even this cannot be written, the count of the running sink still has it.
  if (const auto kept = intake_.capture.append(frame(static_cast<uint16_t>(refusal.status))); !kept) {
    log_lost_frame(intake_, "a refused body", kept.error());
  }
  return render({refusal.status, refusal.grpc, std::move(refusal.message)});
}

Reply TraceExchange::failed(BodyFailure why) {
  switch (why) {
    case BodyFailure::kTooLarge:
      return refuse(
          {413, "too-large", "body is larger than " + std::to_string(intake_.options.max_body_bytes) + " bytes"});
    case BodyFailure::kMalformed: return refuse({400, "bad-request", "malformed body framing"});
    case BodyFailure::kTooSlow: return refuse({408, "too-slow", "the body did not arrive in time"});
    case BodyFailure::kOverloaded: return refuse({503, "overloaded", "too many bodies at once"});
    case BodyFailure::kAborted: break;
  }
  intake_.tally.aborted(transport_);
  if (const auto kept = intake_.capture.append(frame(499)); !kept) {
    log_lost_frame(intake_, "an aborted body", kept.error());
  }
  return {};
}

std::optional<Reply> TraceExchange::finish(const std::string& body) {
  Refusal wrong;
  const std::optional<std::string_view> packed = message(body, wrong);
  if (!packed) return refuse(std::move(wrong));
  Arena arena;
  std::vector<Span> spans;
  const auto plain = otlp::decompress(*packed, coding_, intake_.options.max_body_bytes, arena);
  if (!plain) {
    if (plain.error().why == "too large") return failed(BodyFailure::kTooLarge);
    return refuse({400, "undecodable", plain.error().what});
  }
  const auto notes = encoding_ == otlp::Encoding::kJson ? otlp::decode_json_in_place(*plain, arena, spans)
                                                        : otlp::decode_protobuf(*plain, arena, spans);
  if (!notes) return refuse({400, "undecodable", printable(notes.error().what)});
  store::Frame kept = frame(200);
  kept.body = *packed;
  if (const auto stored = intake_.capture.append(kept); !stored) {
    intake_.tally.refused(transport_, "not-stored");
    if (intake_.options.log) intake_.options.log("not stored: " + stored.error().what + ": " + stored.error().why);
    return render({503, -1, "the body could not be stored"});
  }
  intake_.tally.accepted(transport_, spans, *notes, packed->size());
  return render({});
}

}  // namespace hopcheck::sink

// The path of an export into the capture, the same for OTLP/HTTP and OTLP/gRPC: the token first, then decode, then what
// the script says, store, and only then acknowledge (OTLP specification 1.11; design rules T8, T12, T14, E1 to E3).
// What is not taken is refused and counted, its spans too where they are known, and leaves a frame without body. A
// transport has an Exchange of its own that derives from TraceExchange: it says what its headers mean, finds the
// message in its body, and gives an Outcome its form.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "sink/answer_script.h"
#include "sink/http_service.h"
#include "sink/secret.h"
#include "sink/tally.h"
#include "store/capture.h"

namespace hopcheck::sink {

struct ReceiverOptions {
  uint64_t max_body_bytes = otlp::kMaxBodyBytes;  // before and after decompression; at most otlp::kMaxBodyBytes
  std::string expect_header;                      // name, in any case; "" = none is asked for
  Secret expect_value;
  std::function<void(const std::string&)> log;    // a line for people; may be empty
};

// What all exports of a sink share. Thread-safe as far as Service asks for it; the parts outlive it.
struct Intake {
  Intake(ReceiverOptions options, store::CaptureWriter& capture, Tally& tally, const Clock& clock);
  ReceiverOptions options;
  store::CaptureWriter& capture;
  Tally& tally;
  const Clock& clock;
  AnswerScript answers;

  // Counts `what`, and says `line` when it is the first of its text; at most kMostNamed lines.
  void name_once(const std::string& what, const std::string& line);

 private:
  static constexpr size_t kMostNamed = 1000;
  std::mutex mutex_;
  std::set<std::string> named_;
};

// What became of an export. `status` is HTTP's; of gRPC the code that it stands for, unless `grpc` says otherwise.
struct Outcome {
  int status = 200;
  int grpc = -1;                          // a gRPC code that no HTTP status stands for; -1: by status
  std::string message;                    // when it was refused, or in part
  std::optional<int64_t> retry_after_nanos;
  std::optional<uint64_t> rejected;       // partial success; 0 is a warning
};

class TraceExchange : public Exchange {
 public:
  std::optional<Reply> early_reply() override { return early_; }
  std::optional<Reply> finish(const std::string& body) override;
  Reply failed(BodyFailure why) override;

 protected:
  TraceExchange(Intake& intake, store::FrameTransport transport, const RequestHead& head);

  // To be called at the end of the constructor, with what is wrong with the head besides the token.
  struct Refusal {
    int status = 400;
    std::string reason, message;  // of the tally; for the sender
    int grpc = -1;
    std::optional<int64_t> retry_after_nanos = std::nullopt;
    uint64_t spans = 0;  // that are known to be in it
  };
  void admit(const RequestHead& head, std::optional<Refusal> wrong);

  // The message in a whole body, nullopt with `wrong` when it has none.
  virtual std::optional<std::string_view> message(const std::string& body, Refusal& wrong) = 0;
  virtual Reply render(const Outcome& outcome) const = 0;

  Intake& intake_;
  otlp::Encoding encoding_ = otlp::Encoding::kProtobuf;
  otlp::ContentEncoding coding_ = otlp::ContentEncoding::kIdentity;

 private:
  struct Decoded;
  std::optional<Reply> decode(const std::string& body, Decoded& out);
  Reply take(const Decoded& decoded);
  Reply answer_as_scripted(const Answer& answer, uint64_t spans);
  Reply refuse(Refusal refusal);
  store::Frame frame(uint16_t status) const;

  const store::FrameTransport transport_;
  std::string peer_;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::optional<Reply> early_;
  std::optional<Answer> answer_;  // the script's, once the body is whole
  int64_t due_nanos_ = 0;         // when it is to be given
  uint64_t waiting_spans_ = 0;    // of the body that waits for it
};

// The coding of one name in any case; nullopt: none of ours. "" is identity.
std::optional<otlp::ContentEncoding> coding_named(std::string_view name);
std::string_view trim(std::string_view text);

}  // namespace hopcheck::sink

// POST /v1/traces: the rules of an OTLP/HTTP server (OTLP specification 1.11; design rules T1 to T5, T8, T12, E1 to E3)
// and the path of a body into the capture: decode first, store, then acknowledge. What cannot be decoded is refused and
// counted, and leaves a frame without body. Thread-safe as far as Service asks for it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "sink/http_service.h"
#include "sink/secret.h"
#include "sink/tally.h"
#include "store/capture.h"

namespace hopcheck::sink {

struct ReceiverOptions {
  uint64_t max_body_bytes = otlp::kMaxBodyBytes;  // before and after decompression; at most otlp::kMaxBodyBytes
  std::string expect_header;                      // name; "" = none is asked for
  Secret expect_value;
  std::function<void(const std::string&)> log;    // a line for people; may be empty
};

class Receiver : public Service {
 public:
  Receiver(ReceiverOptions options, store::CaptureWriter& capture, Tally& tally, const Clock& clock);
  uint64_t body_limit() const override { return options_.max_body_bytes; }
  std::unique_ptr<Exchange> begin(const RequestHead& head) override;
  Reply malformed(int status) override;

 private:
  friend class TraceExchange;
  ReceiverOptions options_;
  store::CaptureWriter& capture_;
  Tally& tally_;
  const Clock& clock_;
};

}  // namespace hopcheck::sink

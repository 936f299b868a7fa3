// POST /v1/traces: the rules of an OTLP/HTTP server (OTLP specification 1.11; design rules T1 to T5). What happens to a
// body stands in intake.h.
#pragma once

#include <memory>

#include "sink/intake.h"

namespace hopcheck::sink {

class HttpReceiver : public Service {
 public:
  explicit HttpReceiver(Intake& intake) : intake_(intake) {}
  uint64_t body_limit() const override { return intake_.options.max_body_bytes; }
  std::unique_ptr<Exchange> begin(const RequestHead& head) override;
  Reply malformed(int status) override;
  void mismatched(const std::string& what) override { intake_.tally.mismatched(what); }

 private:
  Intake& intake_;
};

// An Exchange with an answer that is known at once.
std::unique_ptr<Exchange> answered(Reply reply);

}  // namespace hopcheck::sink

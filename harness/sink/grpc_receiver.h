// opentelemetry.proto.collector.trace.v1.TraceService/Export: the rules of an OTLP/gRPC server (OTLP
// specification 1.11; gRPC's PROTOCOL-HTTP2.md; design rule T10), unary. What happens to a message stands in intake.h.
// Metadata are lower case on the wire; the header that is asked for is found whatever case it was configured in.
#pragma once

#include <memory>

#include "sink/intake.h"

namespace hopcheck::sink {

class GrpcReceiver : public Service {
 public:
  explicit GrpcReceiver(Intake& intake) : intake_(intake) {}
  uint64_t body_limit() const override;  // the message and its prefix
  std::unique_ptr<Exchange> begin(const RequestHead& head) override;
  Reply malformed(int status) override;
  void mismatched(const std::string& what) override { intake_.tally.mismatched(what); }

 private:
  Intake& intake_;
};

}  // namespace hopcheck::sink

// The mock backend: receives OTLP over HTTP and gRPC, keeps every byte, answers by the specification, and counts.
// `hopcheck sink`, the pod of the kind provider, and tests construct it here.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "model/answers.h"
#include "sink/http_server.h"
#include "sink/secret.h"
#include "sink/tally.h"
#include "store/capture.h"

namespace hopcheck::sink {

struct SinkOptions {
  std::string http = "127.0.0.1:4318";     // OTLP/HTTP; port 0: any free one
  std::string grpc;                        // OTLP/gRPC, such as "127.0.0.1:4317"; "" = none
  TlsFiles tls;                            // of both; none: plaintext
  std::string control = "127.0.0.1:8080";  // control API; "" = none
  std::string out = ".";                   // directory for capture.hcl and sink.json; made when missing
  std::string run_id;
  uint64_t max_body_bytes = otlp::kMaxBodyBytes;
  std::string expect_header;               // name; with expect_value
  Secret expect_value;
  AnswerPlan answers;                      // what exports are answered over time; none: all are accepted
  Secret control_token;                    // required unless the control API is on loopback only
  int64_t drain_ms = 5000;
  HttpLimits limits;
  std::function<void(const std::string&)> log;  // lines for people; called from any thread; may be empty
};

class Sink {
 public:
  // Opens or continues the capture (an unsealed one of a killed sink loses nothing; a sealed one is an error), listens,
  // and writes sink.json. Errors: kUsage, kEnvironment, kEvidence (damaged capture).
  static Result<std::unique_ptr<Sink>> start(SinkOptions options);
  ~Sink();  // without stop(): as a kill would leave it, unsealed
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  uint16_t http_port() const;
  uint16_t grpc_port() const;     // 0 when there is none
  uint16_t control_port() const;  // 0 when there is none
  std::string capture_path() const;
  TallyCounts counts() const;
  // Stops accepting, ends what is under way, seals. The counts are those of the whole capture, recovered frames
  // included.
  Result<TallyCounts> stop();

 private:
  struct Parts;
  explicit Sink(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Serves until `stop` becomes true, then as stop().
Result<TallyCounts> run_sink(SinkOptions options, const std::atomic<bool>& stop);

}  // namespace hopcheck::sink

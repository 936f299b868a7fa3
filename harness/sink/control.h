// The control API of a sink, on a port of its own (architecture.md, "In-cluster plumbing"):
//   GET /status                        counters as JSON
//   GET /capture?from=BYTE&wait=MS     raw bytes of the capture from an offset, whole frames only, at most 8 MiB; waits
//   up to
//                                      30 s for the first of them; empty = none yet; 416 when the file is shorter than
//                                      that
//   GET /answers                       which step of the script is due, and how often each was given
//   POST /answers                      a file of kind Answers: what exports are answered from now on; its steps empty =
//   ok POST /seal                         ends the capture; exports are refused with 503 from then on GET /healthz 200
//   while it serves; the only one that asks for no token
// The token stands in the header X-Hopcheck-Token: the Kubernetes API proxy strips Authorization.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "sink/answer_script.h"
#include "sink/http_service.h"
#include "sink/secret.h"
#include "sink/tally.h"
#include "store/capture.h"

namespace hopcheck::sink {

class CaptureState {
 public:
  CaptureState(store::CaptureWriter& writer, std::string path) : writer_(writer), path_(std::move(path)) {}
  Result<void> seal();
  bool sealed() const { return sealed_; }
  uint64_t bytes() const { return writer_.bytes(); }
  const std::string& path() const { return path_; }

 private:
  store::CaptureWriter& writer_;
  std::string path_;
  std::atomic<bool> sealed_{false};
};

class Control : public Service {
 public:
  Control(CaptureState& capture, const Tally& tally, AnswerScript& answers, Secret token, std::string instance);
  uint64_t body_limit() const override { return 64 * 1024; }
  std::unique_ptr<Exchange> begin(const RequestHead& head) override;
  Reply malformed(int status) override;

 private:
  Reply status() const;
  Reply seal();

  CaptureState& capture_;
  const Tally& tally_;
  AnswerScript& answers_;
  Secret token_;
  std::string instance_;
};

}  // namespace hopcheck::sink

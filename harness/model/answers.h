// What a mock backend answers over time: a list of steps, each for so many exports or for so long, then accepted as
// usual. The same plan serves OTLP/HTTP and OTLP/gRPC. Values only; units in the names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hopcheck {

struct Answer {
  enum class Kind : uint8_t { kOk, kRefuse, kPartial, kReset };
  Kind kind = Kind::kOk;
  int64_t delay_nanos = 0;  // before anything of the export is stored or answered
  // kRefuse: one of the two; the other transport gets the code it stands for.
  std::optional<int> http_status, grpc_code;
  std::optional<int64_t> retry_after_nanos;  // Retry-After, RetryInfo
  uint64_t rejected = 0;                     // kPartial: spans of each export, at most all
  std::string message;                       // for the sender; kRefuse and kPartial
};

struct AnswerStep {
  // One of the two; neither: from then on.
  std::optional<uint64_t> requests;
  std::optional<int64_t> nanos;  // from the first export that meets the step
  Answer answer;
};

struct AnswerPlan {
  std::string name;
  std::vector<AnswerStep> steps;
};

}  // namespace hopcheck

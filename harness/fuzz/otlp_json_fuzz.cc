// libFuzzer: the OTLP JSON decoder on arbitrary bytes; what it accepts is JSON to another reader too, and survives both
// encodings.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>

#include "fuzz/round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hopcheck;
  const std::unique_ptr<char[]> body(new char[size]);
  std::copy(data, data + size, body.get());
  Arena arena;
  std::vector<Span> spans(1);
  const auto notes = otlp::decode_json({body.get(), size}, arena, spans);
  if (!notes) {
    fuzz::require(spans.size() == 1, "a refused body left spans behind");
    fuzz::require(notes.error().kind == ErrorKind::kEvidence && !notes.error().what.empty(),
                  "refused without a reason");
    return 0;
  }
  fuzz::require(size == 0 || nlohmann::json::accept(body.get(), body.get() + size), "accepted, but it is not JSON");
  spans.erase(spans.begin());
  fuzz::check_round_trip(spans);
  return 0;
}

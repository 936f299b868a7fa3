// libFuzzer: the OTLP protobuf decoder on arbitrary bytes; what it accepts survives both encodings.
#include <cstddef>
#include <cstdint>
#include <memory>

#include "fuzz/round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hopcheck;
  // A heap block of exactly this size: a sanitizer sees any read past its end.
  const std::unique_ptr<char[]> body(new char[size]);
  std::copy(data, data + size, body.get());
  Arena arena;
  std::vector<Span> spans(1);
  const auto notes = otlp::decode_protobuf({body.get(), size}, arena, spans);
  if (!notes) {
    fuzz::require(spans.size() == 1, "a refused body left spans behind");
    fuzz::require(notes.error().kind == ErrorKind::kEvidence && !notes.error().what.empty(),
                  "refused without a reason");
    return 0;
  }
  fuzz::require(notes->notes.size() <= 16 && notes->notes.size() <= notes->note_count, "too many notes kept");
  spans.erase(spans.begin());
  fuzz::check_round_trip(spans);
  return 0;
}

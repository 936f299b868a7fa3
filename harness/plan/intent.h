// Run tag and intents (verdict.md section 0): ids are keyed bijections of the request number, so a received id is
// deciphered back to its request with no table. Pure; thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "model/ledger.h"

namespace hopcheck::plan {

class TagCipher {
 public:
  explicit TagCipher(const RunTag& tag);
  ~TagCipher();
  TagCipher(TagCipher&&) noexcept;
  TagCipher(const TagCipher&) = delete;

  TraceId trace_id(uint64_t n) const;            // AES-128 of nonce64 ‖ n64, big-endian
  SpanId span_id(uint64_t n) const;              // four-round Feistel over AES
  std::optional<uint64_t> request_of(const TraceId& id) const;  // nullopt: not ours
  uint64_t request_of(const SpanId& id) const;
  std::string request_id(uint64_t n) const;      // UUID, '4' at index 14
  // Inverse of request_id whatever stands at index 14, where Envoy notes its trace reason; nullopt: not ours.
  std::optional<uint64_t> request_of_request_id(std::string_view uuid) const;
  std::string run8() const;                      // first 8 hex digits of the nonce

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
};

// The request i (0-based) of the plan. Header-less mode: ids zero and trace_state empty, as nothing of them is sent;
// request_id only where the plan asks for it.
Intent intent_at(const LoadPlan& plan, const TagCipher& cipher, uint64_t index);
// "00-<trace>-<span>-01"; "" in header-less mode.
std::string traceparent_of(const Intent& intent);
// The journey's path with ?hop= or &hop= appended when the plan tags by query.
std::string path_of(const LoadPlan& plan, const Intent& intent);
// "hopcheck/<run8>", or "hopcheck/<run8>-<n>" when the plan tags by user agent.
std::string user_agent_of(const LoadPlan& plan, const TagCipher& cipher, const Intent& intent);

struct HopTag {
  uint64_t n = 0;
  bool warmup = false;
};
// Finds hop=<run8>-[w]<n> in a URL (any position of the query); nullopt when absent or of another run.
std::optional<HopTag> parse_hop(std::string_view url, std::string_view run8);
// The URL carries a tag of another run: hop=<8 hex digits>-[w]<digits> with other digits than run8.
bool hop_of_another_run(std::string_view url, std::string_view run8);

}  // namespace hopcheck::plan

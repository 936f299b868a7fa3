// What one run.json may hold at most (files.md: at most 64 MiB, caps stated). capped() in json.h applies these. The
// judge orders findings and exhibits; cutting keeps the first ones. Bytes are counted as JSON text, escapes
// included.
#pragma once

#include <cstddef>

namespace hopcheck::report {

inline constexpr size_t kMaxExhibitsPerScenario = 64;
inline constexpr size_t kMaxSpansPerExhibit = 512;  // of each of its two trees
inline constexpr size_t kMaxAttributesPerSpan = 128;
inline constexpr size_t kMaxExhibitTextBytes = 4096;  // one attribute value, span name or service name
inline constexpr size_t kMaxFindingsPerScenario = 1000;
inline constexpr size_t kMaxFindingTextBytes = 16u << 10;
inline constexpr size_t kMaxWitnesses = 64;
inline constexpr size_t kMaxConsequences = 256;
inline constexpr size_t kMaxSignatureLines = 4096;
inline constexpr size_t kMaxHopsPerScenario = 1024;
inline constexpr size_t kMaxScenarios = 2000;
inline constexpr size_t kMaxPhaseSteps = 10'000;

// For the whole run.
inline constexpr size_t kMaxExhibitBytes = 24u << 20;
inline constexpr size_t kMaxFindingBytes = 16u << 20;
inline constexpr size_t kMaxSignatureBytes = 8u << 20;
inline constexpr size_t kMaxBuckets = 200'000;

}  // namespace hopcheck::report

// Conformance rows (docs/reference/conformance-rows.md) and the recorded results that prove them. Values only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hopcheck {

// Positive: what the row asks for was there and accepted. Negative: it was broken or left out, and that was noticed.
// Of a row that speaks of a defect ("a service drops traceparent"), the clean world is the positive form.
enum class Polarity : uint8_t { kPositive, kNegative };

// How far the result reaches, strongest first: a real mesh in Kubernetes, bytes recorded from one, real proxies as
// processes, computed spans, or our own code and files alone.
enum class ProofKind : uint8_t { kLive, kCapture, kLocal, kSimulated, kSource };

const char* to_string(Polarity polarity);                         // "positive"
const char* to_string(ProofKind kind);                            // "live"
std::optional<Polarity> parse_polarity(std::string_view text);    // nullopt: another word
std::optional<ProofKind> parse_proof_kind(std::string_view text);

// One result of a run or a test about one row.
struct Proof {
  std::string row;     // "O-60"
  Polarity polarity = Polarity::kPositive;
  std::string result;  // what gave it, the same each time: "run checkout-gateway", "test Suite.Name", "selftest …"
  std::string commit;  // of the sources of the program that recorded it; "" = filled in by store::append_proof
  ProofKind kind = ProofKind::kSource;
  std::string provider, istio, envoy;  // "" where none took part
  std::string verdict;                 // what came out, for people: "pass", "fail", "unknown"
  bool held = false;                   // whether it came out as the claim says

  friend bool operator==(const Proof&, const Proof&) = default;
};

struct ConformanceRow {
  std::string id;       // "O-60"
  std::string section;  // "8"
  std::string text;
  ProofKind wanted = ProofKind::kLive;
  bool headerless = false;  // a run with our own traceparent is no proof (up to Envoy 1.38 the parent decides)
  std::string reason;   // why no machine here can show it live; "" = one can
};

struct ConformanceSection {
  std::string number, title;
};

struct ConformanceRows {
  std::vector<ConformanceSection> sections;
  std::vector<ConformanceRow> rows;  // in the order of the file: by section
};

}  // namespace hopcheck

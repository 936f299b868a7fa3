#include "model/proof.h"

namespace hopcheck {

const char* to_string(Polarity polarity) { return polarity == Polarity::kPositive ? "positive" : "negative"; }

const char* to_string(ProofKind kind) {
  switch (kind) {
    case ProofKind::kLive: return "live";
    case ProofKind::kCapture: return "capture";
    case ProofKind::kLocal: return "local";
    case ProofKind::kSimulated: return "simulated";
    case ProofKind::kSource: return "source";
  }
  return "";
}

std::optional<Polarity> parse_polarity(std::string_view text) {
  for (const Polarity polarity : {Polarity::kPositive, Polarity::kNegative}) {
    if (text == to_string(polarity)) return polarity;
  }
  return std::nullopt;
}

std::optional<ProofKind> parse_proof_kind(std::string_view text) {
  for (const ProofKind kind :
       {ProofKind::kLive, ProofKind::kCapture, ProofKind::kLocal, ProofKind::kSimulated, ProofKind::kSource}) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace hopcheck

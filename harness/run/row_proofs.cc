#include "run/row_proofs.h"

#include <set>
#include <string_view>

#include <fmt/format.h>

namespace hopcheck::run {
namespace {

ProofKind kind_of(const RunResult& result, ProofSource source) {
  if (result.provider == "local") return ProofKind::kLocal;
  return source == ProofSource::kRun ? ProofKind::kLive : ProofKind::kCapture;
}

// "<git sha>/1.38.3/Clean/RELEASE/BoringSSL" → "1.38.3".
std::string envoy_number(std::string_view version) {
  const size_t slash = version.find('/');
  if (slash == std::string_view::npos) return std::string(version);
  version.remove_prefix(slash + 1);
  return std::string(version.substr(0, version.find('/')));
}

// A mixed mesh has several: "1.38.3+1.39.3".
std::string envoys_of(const Environment& environment) {
  std::set<std::string> seen;
  for (const ProxyFact& proxy : environment.proxies) {
    if (!proxy.envoy_version.empty()) seen.insert(envoy_number(proxy.envoy_version));
  }
  std::string out;
  for (const std::string& version : seen) out += (out.empty() ? "" : "+") + version;
  return out;
}

}  // namespace

std::vector<Proof> row_proofs(const RunResult& result, ProofSource source, RuleSelection rules) {
  std::vector<Proof> out;
  if (result.interrupted) return out;
  const std::string envoys = envoys_of(result.environment);
  for (const ScenarioResult& scenario : result.scenarios) {
    if (!scenario.verdict || scenario.expected_verdict == "drawn") continue;
    const bool passes = scenario.expected_verdict == "pass";
    const bool held = result.suite.empty() ? *scenario.verdict == Verdict::kPass : scenario.as_expected;
    if (!held && (result.suite.empty() || source == ProofSource::kCheck)) continue;
    if (held && rules == RuleSelection::kSome) continue;
    Proof proof;
    proof.polarity = passes ? Polarity::kPositive : Polarity::kNegative;
    proof.result = fmt::format("{} {}", source == ProofSource::kRun ? "run" : "check", scenario.name);
    proof.kind = kind_of(result, source);
    proof.provider = result.provider == "none" ? "" : result.provider;
    proof.istio = result.environment.istio;
    proof.envoy = envoys;
    proof.verdict = to_string(*scenario.verdict);
    proof.held = held;
    for (const std::string& row : scenario.rows) {
      proof.row = row;
      out.push_back(proof);
    }
  }
  return out;
}

}  // namespace hopcheck::run

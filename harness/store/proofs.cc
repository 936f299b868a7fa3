#include "store/proofs.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/file_io.h"
#include "store/source_commit.h"

namespace hopcheck::store {
namespace {

using Json = nlohmann::ordered_json;

std::string to_line(const Proof& proof) {
  Json json;
  json["row"] = proof.row;
  json["polarity"] = to_string(proof.polarity);
  json["result"] = proof.result;
  json["commit"] = proof.commit;
  json["kind"] = to_string(proof.kind);
  json["provider"] = proof.provider;
  json["istio"] = proof.istio;
  json["envoy"] = proof.envoy;
  json["verdict"] = proof.verdict;
  json["held"] = proof.held;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Proof from_line(std::string_view line) {
  const Json json = Json::parse(line);
  Proof proof;
  proof.row = json.at("row").get<std::string>();
  proof.result = json.at("result").get<std::string>();
  proof.commit = json.at("commit").get<std::string>();
  proof.provider = json.value("provider", std::string());
  proof.istio = json.value("istio", std::string());
  proof.envoy = json.value("envoy", std::string());
  proof.verdict = json.value("verdict", std::string());
  proof.held = json.at("held").get<bool>();
  const auto polarity = parse_polarity(json.at("polarity").get<std::string>());
  const auto kind = parse_proof_kind(json.at("kind").get<std::string>());
  if (!polarity) throw std::invalid_argument("polarity is none of positive, negative");
  if (!kind) throw std::invalid_argument("kind is none of live, capture, local, simulated, source");
  proof.polarity = *polarity;
  proof.kind = *kind;
  return proof;
}

}  // namespace

std::string proofs_path() {
  if (const char* named = std::getenv("HOPCHECK_PROOFS")) return std::string_view(named) == "off" ? "" : named;
  std::error_code ignored;
  return std::filesystem::is_directory("reports", ignored) ? "reports/proofs.jsonl" : "";
}

Result<void> append_proof(Proof proof) {
  const std::string path = proofs_path();
  if (path.empty()) return {};
  return append_proof_to(path, std::move(proof));
}

Result<void> append_proof_to(const std::string& path, Proof proof) {
  if (proof.commit.empty()) proof.commit = source_commit();
  return append_file(path, to_line(proof));
}

Result<ProofFile> read_proofs(const std::string& path) {
  ProofFile out;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return out;
  const auto text = read_named(path, kMaxProofBytes);
  if (!text) {
    Error error = text.error();
    error.kind = ErrorKind::kEvidence;
    error.fix = "remove " + path + ": runs and tests make it again";
    return tl::unexpected(std::move(error));
  }
  std::string_view rest = *text;
  size_t number = 0, left_out = 0;
  while (!rest.empty()) {
    ++number;
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty()) continue;
    try {
      out.proofs.push_back(from_line(line));
    } catch (const std::exception& error) {
      if (out.damaged.size() < kMaxDamaged) {
        out.damaged.push_back(fmt::format("{}:{}: {}", path, number, error.what()));
      } else {
        ++left_out;
      }
    }
  }
  if (left_out > 0) out.damaged.push_back(fmt::format("{}: {} more damaged lines", path, left_out));
  return out;
}

}  // namespace hopcheck::store

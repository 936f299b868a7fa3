#include <sys/random.h>

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/stored_run.h"
#include "base/ids.h"

namespace hopcheck::app {
namespace {

using Json = nlohmann::ordered_json;

Json pairs_to_json(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json out = Json::array();
  for (const auto& [name, value] : pairs) out.push_back({{"scenario", name}, {"text", value}});
  return out;
}

std::vector<std::pair<std::string, std::string>> pairs_from_json(const Json& json) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Json& item : json)
    out.emplace_back(item.at("scenario").get<std::string>(), item.at("text").get<std::string>());
  return out;
}

}  // namespace

RunIdentity new_identity(uint64_t seed, const std::string& provider) {
  RunIdentity out;
  out.seed = seed;
  out.provider = provider;
  uint8_t bytes[24] = {};
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) std::abort();
  std::memcpy(out.tag.key.data(), bytes, 16);
  std::memcpy(&out.tag.nonce, bytes + 16, 8);
  out.run_id = fmt::format("{:016x}", out.tag.nonce).substr(0, 8);
  return out;
}

Result<void> write_identity(const store::RunDirectory& directory, const RunIdentity& identity) {
  Json json;
  json["runId"] = identity.run_id;
  json["seed"] = std::to_string(identity.seed);
  json["runNonce"] = fmt::format("{:016x}", identity.tag.nonce);
  json["runKey"] = to_hex(identity.tag.key.data(), identity.tag.key.size());
  json["provider"] = identity.provider;
  json["interrupted"] = identity.interrupted;
  json["skipped"] = pairs_to_json(identity.skipped);
  json["drawn"] = pairs_to_json(identity.drawn);
  json["files"] = pairs_to_json(identity.files);
  json["suiteFile"] = identity.suite_file;
  return directory.write("plan.json", json.dump(2) + "\n");
}

Result<RunIdentity> read_identity(const store::RunDirectory& directory) {
  const auto text = directory.read("plan.json", 16u << 20);
  if (!text) return tl::unexpected(text.error());
  try {
    const Json json = Json::parse(*text);
    RunIdentity out;
    out.run_id = json.at("runId").get<std::string>();
    out.seed = std::stoull(json.at("seed").get<std::string>());
    out.tag.nonce = std::stoull(json.at("runNonce").get<std::string>(), nullptr, 16);
    if (!from_hex(json.at("runKey").get<std::string>(), out.tag.key.data(), out.tag.key.size()))
      throw std::invalid_argument("runKey");
    out.provider = json.at("provider").get<std::string>();
    out.interrupted = json.at("interrupted").get<bool>();
    out.skipped = pairs_from_json(json.at("skipped"));
    out.drawn = pairs_from_json(json.at("drawn"));
    out.files = pairs_from_json(json.at("files"));
    out.suite_file = json.at("suiteFile").get<std::string>();
    return out;
  } catch (const std::exception& error) {
    return fail(ErrorKind::kEvidence, directory.file("plan.json") + " cannot be read", error.what(),
                "is this a run directory?");
  }
}

}  // namespace hopcheck::app

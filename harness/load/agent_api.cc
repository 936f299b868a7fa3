#include "load/agent_api.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <optional>

#include "base/text.h"
#include "plan/load_plan_json.h"

namespace hopcheck::load {
namespace {

using nlohmann::json;

// Takes the same time wherever the first difference is.
bool equal_secret(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() && !secret.empty() ? 0 : 1;
  for (size_t i = 0; i < given.size() && !secret.empty(); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(secret[i % secret.size()]);
  }
  return difference == 0;
}

ControlAnswer error(int status, const std::string& text) {
  return {status, json{{"error", text}}.dump(-1, ' ', false, json::error_handler_t::replace)};
}

ControlAnswer error(int status, const Error& failure) {
  return error(status, failure.why.empty() ? failure.what : failure.what + ": " + failure.why);
}

std::optional<uint64_t> number(std::string_view query, std::string_view key) {
  for (const std::string_view pair : split(query, '&')) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != key) continue;
    const std::string_view digits = pair.substr(equals + 1);
    uint64_t value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

ControlAnswer drive(Drives& drives, std::string_view body) {
  const Result<LoadPlan> plan = plan::load_plan_from_json(body);
  if (!plan) return error(400, plan.error());
  const Result<Drives::Start> start = drives.start(*plan);
  if (!start) return error(400, start.error());
  switch (*start) {
    case Drives::Start::kStarted: return {202, R"({"state":"started"})"};
    case Drives::Start::kKnown: return {200, R"({"state":"known"})"};
    case Drives::Start::kBusy: break;
  }
  return error(409, "another drive is running");
}

ControlAnswer outcomes(const Drives& drives, std::string_view query) {
  const std::optional<uint64_t> first_n = number(query, "first_n");
  const std::optional<uint64_t> from = number(query, "from");
  if (!first_n || !from) return error(400, "first_n and from must be decimal numbers");
  const std::optional<Drives::Page> page = drives.page(*first_n, *from);
  if (!page) return error(404, "no drive with this first_n");
  if (page->error) return error(502, *page->error);
  return {200, plan::outcomes_to_json(page->outcomes, page->finished)};
}

}  // namespace

ControlAnswer answer(Drives& drives, std::string_view token, const ControlRequest& request) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const std::string_view query = path.size() < request.target.size() ? request.target.substr(path.size() + 1) : "";
  const bool get = request.method == "GET";
  const bool post = request.method == "POST";
  if (path == "/healthz") return get ? ControlAnswer{200, R"({"state":"ready"})"} : error(405, "only GET");
  if (!equal_secret(request.token, token)) return error(401, "X-Hopcheck-Token is missing or wrong");
  if (path == "/drive") return post ? drive(drives, request.body) : error(405, "only POST");
  if (path == "/outcomes") return get ? outcomes(drives, query) : error(405, "only GET");
  if (path == "/stop") {
    if (!post) return error(405, "only POST");
    drives.stop();
    return {202, R"({"state":"stopping"})"};
  }
  return error(404, "no such path");
}

}  // namespace hopcheck::load

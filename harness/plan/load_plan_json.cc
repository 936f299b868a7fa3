#include "plan/load_plan_json.h"

#include <nlohmann/json.hpp>

#include <array>
#include <optional>

#include "base/ids.h"

namespace hopcheck::plan {
namespace {

using nlohmann::json;

constexpr size_t kMaxJourneys = 1000;

// Thrown only inside this file, by the readers below, and turned into an Error at its edge.
struct BadField {
  std::string why;
};

template <class Enum, size_t N>
Enum enum_from(const std::string& text, const std::array<Enum, N>& values, const char* key) {
  for (const Enum value : values) {
    if (text == to_string(value)) return value;
  }
  throw BadField{std::string(key) + ": unknown value \"" + text.substr(0, 40) + "\""};
}

constexpr std::array kTraceparentModes{TraceparentMode::kSampled, TraceparentMode::kUnsampled, TraceparentMode::kNone};
constexpr std::array kTagModes{TagMode::kQuery, TagMode::kUserAgent, TagMode::kNone};
constexpr std::array kOutcomeKinds{OutcomeKind::kUnsent, OutcomeKind::kOk, OutcomeKind::kFailed,
                                   OutcomeKind::kIndeterminate};

template <class T>
T integer(const json& value, const char* key) {
  if (!value.is_number_integer()) throw BadField{std::string(key) + ": not an integer"};
  // nlohmann keeps non-negative numbers as unsigned, negative ones as signed.
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<T>::max())) throw BadField{std::string(key) + ": too large"};
    return static_cast<T>(number);
  }
  const int64_t number = value.get<int64_t>();
  if (number < 0 && (std::is_unsigned_v<T> || number < static_cast<int64_t>(std::numeric_limits<T>::min()))) {
    throw BadField{std::string(key) + ": too small"};
  }
  return static_cast<T>(number);
}

const json& member(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) throw BadField{std::string(key) + ": missing"};
  return *found;
}

std::string text_member(const json& object, const char* key) {
  const json& value = member(object, key);
  if (!value.is_string()) throw BadField{std::string(key) + ": not a string"};
  return value.get<std::string>();
}

LoadPlan read_plan(const json& root) {
  if (!root.is_object()) throw BadField{"not an object"};
  LoadPlan plan;
  if (!from_hex(text_member(root, "key"), plan.tag.key.data(), plan.tag.key.size())) {
    throw BadField{"key: not 32 hex digits"};
  }
  plan.tag.nonce = integer<uint64_t>(member(root, "nonce"), "nonce");
  plan.first_n = integer<uint64_t>(member(root, "firstN"), "firstN");
  plan.count = integer<uint64_t>(member(root, "count"), "count");
  if (!member(root, "warmup").is_boolean()) throw BadField{"warmup: not a boolean"};
  plan.warmup = root["warmup"].get<bool>();
  if (!member(root, "rate").is_number()) throw BadField{"rate: not a number"};
  plan.rate = root["rate"].get<double>();
  plan.traceparent = enum_from(text_member(root, "traceparent"), kTraceparentModes, "traceparent");
  plan.tag_mode = enum_from(text_member(root, "tag"), kTagModes, "tag");
  plan.trace_state = text_member(root, "traceState");
  if (!member(root, "requestId").is_boolean()) throw BadField{"requestId: not a boolean"};
  plan.request_id = root["requestId"].get<bool>();
  plan.base_url = text_member(root, "baseUrl");
  plan.host_header = text_member(root, "hostHeader");
  plan.timeout_nanos = integer<int64_t>(member(root, "timeoutNanos"), "timeoutNanos");
  plan.max_in_flight = integer<int>(member(root, "maxInFlight"), "maxInFlight");
  const json& journeys = member(root, "journeys");
  if (!journeys.is_array() || journeys.size() > kMaxJourneys) throw BadField{"journeys: not a list of at most 1000"};
  for (const json& item : journeys) {
    if (!item.is_object()) throw BadField{"journeys: not a list of objects"};
    Journey journey;
    journey.name = text_member(item, "name");
    journey.weight = integer<int>(member(item, "weight"), "weight");
    journey.method = text_member(item, "method");
    journey.path = text_member(item, "path");
    journey.host = text_member(item, "host");
    plan.journeys.push_back(std::move(journey));
  }
  return plan;
}

Outcome read_outcome(const json& row) {
  if (!row.is_array() || row.size() != 6) throw BadField{"outcomes: not a list of six-element lists"};
  Outcome outcome;
  outcome.n = integer<uint64_t>(row[0], "n");
  outcome.due_unix_nanos = integer<int64_t>(row[1], "due");
  outcome.sent_unix_nanos = integer<int64_t>(row[2], "sent");
  outcome.done_unix_nanos = integer<int64_t>(row[3], "done");
  if (!row[4].is_string()) throw BadField{"kind: not a string"};
  outcome.kind = enum_from(row[4].get<std::string>(), kOutcomeKinds, "kind");
  outcome.status = integer<uint16_t>(row[5], "status");
  return outcome;
}

// Parses and reads; every exception of the JSON library and of the readers ends here.
template <class Read>
auto read_text(std::string_view text, const char* what, Read read) -> Result<decltype(read(json()))> {
  try {
    return read(json::parse(text.begin(), text.end()));
  } catch (const BadField& bad) {
    return fail(ErrorKind::kUsage, what, bad.why);
  } catch (const json::exception& error) {
    return fail(ErrorKind::kUsage, what, error.what());
  }
}

// Invalid UTF-8 (no caller has it on purpose) is replaced, never thrown about.
std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string to_json(const LoadPlan& plan) {
  json journeys = json::array();
  for (const Journey& journey : plan.journeys) {
    journeys.push_back({{"name", journey.name},
                        {"weight", journey.weight},
                        {"method", journey.method},
                        {"path", journey.path},
                        {"host", journey.host}});
  }
  return dump({{"key", to_hex(plan.tag.key.data(), plan.tag.key.size())},
               {"nonce", plan.tag.nonce},
               {"firstN", plan.first_n},
               {"count", plan.count},
               {"warmup", plan.warmup},
               {"rate", plan.rate},
               {"traceparent", to_string(plan.traceparent)},
               {"tag", to_string(plan.tag_mode)},
               {"traceState", plan.trace_state},
               {"requestId", plan.request_id},
               {"journeys", journeys},
               {"baseUrl", plan.base_url},
               {"hostHeader", plan.host_header},
               {"timeoutNanos", plan.timeout_nanos},
               {"maxInFlight", plan.max_in_flight}});
}

Result<LoadPlan> load_plan_from_json(std::string_view text) {
  return read_text(text, "unreadable load plan", read_plan);
}

std::string outcomes_to_json(const std::vector<Outcome>& outcomes, bool finished) {
  json rows = json::array();
  for (const Outcome& outcome : outcomes) {
    rows.push_back({outcome.n, outcome.due_unix_nanos, outcome.sent_unix_nanos, outcome.done_unix_nanos,
                    to_string(outcome.kind), outcome.status});
  }
  return dump({{"finished", finished}, {"outcomes", std::move(rows)}});
}

Result<OutcomePage> outcomes_from_json(std::string_view text) {
  return read_text(text, "unreadable outcomes", [](const json& root) {
    if (!root.is_object()) throw BadField{"not an object"};
    if (!member(root, "finished").is_boolean()) throw BadField{"finished: not a boolean"};
    const json& rows = member(root, "outcomes");
    if (!rows.is_array()) throw BadField{"outcomes: not a list"};
    OutcomePage page;
    page.finished = root["finished"].get<bool>();
    page.outcomes.reserve(rows.size());
    for (const json& row : rows) page.outcomes.push_back(read_outcome(row));
    return page;
  });
}

}  // namespace hopcheck::plan

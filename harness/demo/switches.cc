#include "demo/switches.h"

#include <nlohmann/json.hpp>

namespace hopcheck::demo {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDelayMs = 30'000;

tl::unexpected<Error> bad(const std::string& why) {
  return fail(ErrorKind::kUsage, "bad switches", why,
              R"(send {"drop":[],"delayMs":0,"failPercent":0,"failStatus":503,"failAttempts":0,"callTwice":false})");
}

struct Range {
  int least;
  int most;
};

// Empty on success, else what is wrong.
std::string read_int(const std::string& key, const Json& value, Range range, int& out) {
  const std::string message =
      key + " must be an integer from " + std::to_string(range.least) + " to " + std::to_string(range.most);
  if (!value.is_number_integer()) return message;
  // A huge unsigned number would wrap in get<int64_t>.
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(range.most)) return message;
  const int64_t number = value.get<int64_t>();
  if (number < range.least || number > range.most) return message;
  out = static_cast<int>(number);
  return "";
}

std::string read_drop(const Json& value, Switches& out) {
  if (!value.is_array()) return "drop must be a list of header names";
  for (const Json& name : value) {
    if (name == "traceparent") {
      out.drop_traceparent = true;
    } else if (name == "tracestate") {
      out.drop_tracestate = true;
    } else if (name == "x-request-id") {
      out.drop_request_id = true;
    } else {
      return "drop knows traceparent, tracestate and x-request-id";
    }
  }
  return "";
}

std::string read_field(const std::string& key, const Json& value, Switches& out) {
  if (key == "drop") return read_drop(value, out);
  if (key == "delayMs") return read_int(key, value, {0, kMaxDelayMs}, out.delay_ms);
  if (key == "failPercent") return read_int(key, value, {0, 100}, out.fail_percent);
  if (key == "failStatus") return read_int(key, value, {400, 599}, out.fail_status);
  if (key == "failAttempts") return read_int(key, value, {0, 10}, out.fail_attempts);
  if (key == "callTwice") {
    if (!value.is_boolean()) return "callTwice must be true or false";
    out.call_twice = value.get<bool>();
    return "";
  }
  return "unknown key '" + key + "'";
}

}  // namespace

Result<Switches> parse_switches(const std::string& json) {
  const Json value = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return bad("the body is not a JSON object");
  Switches out;
  for (const auto& item : value.items()) {
    const std::string problem = read_field(item.key(), item.value(), out);
    if (!problem.empty()) return bad(problem);
  }
  return out;
}

std::string to_json(const Switches& switches) {
  Json drop = Json::array();
  if (switches.drop_traceparent) drop.push_back("traceparent");
  if (switches.drop_tracestate) drop.push_back("tracestate");
  if (switches.drop_request_id) drop.push_back("x-request-id");
  const Json value{{"drop", drop},
                   {"delayMs", switches.delay_ms},
                   {"failPercent", switches.fail_percent},
                   {"failStatus", switches.fail_status},
                   {"failAttempts", switches.fail_attempts},
                   {"callTwice", switches.call_twice}};
  return value.dump();
}

void Switchboard::set(const Switches& switches) {
  const std::lock_guard lock(mutex_);
  switches_ = switches;
  decided_ = 0;
}

Switches Switchboard::get() const {
  const std::lock_guard lock(mutex_);
  return switches_;
}

Switchboard::Decision Switchboard::decide() {
  const std::lock_guard lock(mutex_);
  const uint64_t n = decided_++ % 100;
  const auto percent = static_cast<uint64_t>(switches_.fail_percent);
  return {switches_, (n + 1) * percent / 100 > n * percent / 100};
}

}  // namespace hopcheck::demo

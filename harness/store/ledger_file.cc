#include "store/ledger_file.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/file_io.h"
#include "store/run_dir.h"

namespace hopcheck::store {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const LedgerEntry& entry) {
  const Intent& intent = entry.intent;
  const Outcome& outcome = entry.outcome;
  Json out;
  out["n"] = intent.n;
  out["journey"] = entry.journey;
  out["traceId"] = intent.trace_id.is_zero() ? "" : to_hex(intent.trace_id);
  out["spanId"] = intent.span_id.is_zero() ? "" : to_hex(intent.span_id);
  out["sampled"] = intent.sampled;
  out["requestId"] = intent.request_id;
  out["traceState"] = intent.trace_state;
  out["dueUnixNano"] = std::to_string(outcome.due_unix_nanos);
  out["sentUnixNano"] = std::to_string(outcome.sent_unix_nanos);
  out["doneUnixNano"] = std::to_string(outcome.done_unix_nanos);
  out["outcome"] = to_string(outcome.kind);
  out["status"] = outcome.status;
  out["scenario"] = entry.scenario;  // beyond files.md: needed to judge a suite again
  out["hop"] = intent.hop;
  return out;
}

template <class Id>
Id read_id(const Json& json, const char* key) {
  const std::string text = json.value(key, std::string());
  if (text.empty()) return {};
  const auto id = id_from_hex<Id>(text);
  if (!id) throw std::invalid_argument(fmt::format("{} is not {} hex digits", key, 2 * Id{}.bytes.size()));
  return *id;
}

int64_t read_time(const Json& json, const char* key) {
  const std::string text = json.value(key, std::string("0"));
  int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size())
    throw std::invalid_argument(fmt::format("{} is no decimal number", key));
  return value;
}

uint64_t read_number(const Json& json, const char* key, uint64_t most) {
  const Json& value = json.at(key);
  if (!value.is_number_unsigned() || value.get<uint64_t>() > most)
    throw std::invalid_argument(fmt::format("{} is no number up to {}", key, most));
  return value.get<uint64_t>();
}

OutcomeKind read_outcome(const std::string& text) {
  for (OutcomeKind kind : {OutcomeKind::kUnsent, OutcomeKind::kOk, OutcomeKind::kFailed, OutcomeKind::kIndeterminate}) {
    if (text == to_string(kind)) return kind;
  }
  throw std::invalid_argument("outcome is none of ok, failed, indeterminate, unsent");
}

LedgerEntry from_json(const Json& json) {
  LedgerEntry entry;
  entry.intent.n = read_number(json, "n", UINT64_MAX);
  entry.scenario = json.value("scenario", std::string());
  entry.journey = json.value("journey", std::string());
  entry.intent.trace_id = read_id<TraceId>(json, "traceId");
  entry.intent.span_id = read_id<SpanId>(json, "spanId");
  entry.intent.sampled = json.value("sampled", false);
  entry.intent.request_id = json.value("requestId", std::string());
  entry.intent.trace_state = json.value("traceState", std::string());
  entry.intent.hop = json.value("hop", std::string());
  entry.outcome.n = entry.intent.n;
  entry.outcome.due_unix_nanos = read_time(json, "dueUnixNano");
  entry.outcome.sent_unix_nanos = read_time(json, "sentUnixNano");
  entry.outcome.done_unix_nanos = read_time(json, "doneUnixNano");
  entry.outcome.kind = read_outcome(json.at("outcome").get<std::string>());
  if (json.contains("status")) entry.outcome.status = static_cast<uint16_t>(read_number(json, "status", 999));
  return entry;
}

// "00-<32 hex>-<16 hex>-<flags>": somebody else's list of what was sent.
LedgerEntry from_traceparent(std::string_view line, uint64_t n) {
  LedgerEntry entry;
  entry.intent.n = n;
  entry.outcome.n = n;
  entry.outcome.kind = OutcomeKind::kOk;
  const bool shaped = line.size() >= 55 && line[2] == '-' && line[35] == '-' && line[52] == '-';
  const auto trace = shaped ? id_from_hex<TraceId>(line.substr(3, 32)) : std::nullopt;
  const auto span = shaped ? id_from_hex<SpanId>(line.substr(36, 16)) : std::nullopt;
  uint8_t flags = 0;
  if (!trace || !span || !from_hex(line.substr(53, 2), &flags, 1)) throw std::invalid_argument("not a traceparent");
  if (trace->is_zero() || span->is_zero() || line.substr(0, 2) == "ff")
    throw std::invalid_argument("not a valid traceparent");
  entry.intent.trace_id = *trace;
  entry.intent.span_id = *span;
  entry.intent.sampled = (flags & 1) != 0;
  return entry;
}

}  // namespace

std::string ledger_to_jsonl(const std::vector<LedgerEntry>& entries) {
  std::string out;
  for (const LedgerEntry& entry : entries)
    out += to_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return out;
}

Result<std::vector<LedgerEntry>> ledger_from_text(std::string_view text, const std::string& name) {
  std::vector<LedgerEntry> out;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    if (line.size() > kMaxLedgerLineBytes || out.size() >= kMaxLedgerLines) {
      return fail(ErrorKind::kEvidence, fmt::format("{}:{}: too long", name, number),
                  "a line holds at most 64 KiB, a ledger 20 million lines");
    }
    try {
      out.push_back(line[0] == '{' ? from_json(Json::parse(line)) : from_traceparent(line, out.size()));
    } catch (const std::exception& error) {
      return fail(ErrorKind::kEvidence, fmt::format("{}:{}: cannot be read", name, number), error.what(),
                  "expected a JSON object per line, or a traceparent per line");
    }
  }
  return out;
}

Result<std::vector<LedgerEntry>> load_ledger(const std::string& path) {
  const auto text = read_named(path, kMaxLedgerBytes);
  if (!text) return tl::unexpected(text.error());
  return ledger_from_text(*text, path);
}

}  // namespace hopcheck::store

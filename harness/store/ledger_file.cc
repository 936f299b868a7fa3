#include "store/ledger_file.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "store/file_io.h"
#include "store/run_dir.h"

namespace hopcheck::store {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kMaxLedgerBytes = size_t{4} << 30;

Json to_json(const LedgerEntry& entry) {
  const Intent& intent = entry.intent;
  const Outcome& outcome = entry.outcome;
  Json out;
  out["n"] = intent.n;
  out["scenario"] = entry.scenario;
  out["journey"] = entry.journey;
  out["traceId"] = intent.trace_id.is_zero() ? "" : to_hex(intent.trace_id);
  out["spanId"] = intent.span_id.is_zero() ? "" : to_hex(intent.span_id);
  out["sampled"] = intent.sampled;
  out["requestId"] = intent.request_id;
  out["traceState"] = intent.trace_state;
  out["hop"] = intent.hop;
  out["dueUnixNano"] = std::to_string(outcome.due_unix_nanos);
  out["sentUnixNano"] = std::to_string(outcome.sent_unix_nanos);
  out["doneUnixNano"] = std::to_string(outcome.done_unix_nanos);
  out["outcome"] = to_string(outcome.kind);
  out["status"] = outcome.status;
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

OutcomeKind read_outcome(const std::string& text) {
  for (OutcomeKind kind : {OutcomeKind::kUnsent, OutcomeKind::kOk, OutcomeKind::kFailed, OutcomeKind::kIndeterminate}) {
    if (text == to_string(kind)) return kind;
  }
  throw std::invalid_argument("outcome is none of ok, failed, indeterminate, unsent");
}

LedgerEntry from_json(const Json& json) {
  LedgerEntry entry;
  entry.intent.n = json.at("n").get<uint64_t>();
  entry.scenario = json.value("scenario", std::string());
  entry.journey = json.value("journey", std::string());
  entry.intent.trace_id = read_id<TraceId>(json, "traceId");
  entry.intent.span_id = read_id<SpanId>(json, "spanId");
  entry.intent.sampled = json.value("sampled", false);
  entry.intent.request_id = json.value("requestId", std::string());
  entry.intent.trace_state = json.value("traceState", std::string());
  entry.intent.hop = json.value("hop", std::string());
  entry.outcome.n = entry.intent.n;
  entry.outcome.due_unix_nanos = std::stoll(json.value("dueUnixNano", std::string("0")));
  entry.outcome.sent_unix_nanos = std::stoll(json.value("sentUnixNano", std::string("0")));
  entry.outcome.done_unix_nanos = std::stoll(json.value("doneUnixNano", std::string("0")));
  entry.outcome.kind = read_outcome(json.at("outcome").get<std::string>());
  entry.outcome.status = json.value("status", uint16_t{0});
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
  entry.intent.trace_id = *trace;
  entry.intent.span_id = *span;
  entry.intent.sampled = (flags & 1) != 0;
  return entry;
}

}  // namespace

std::string ledger_to_jsonl(const std::vector<LedgerEntry>& entries) {
  std::string out;
  for (const LedgerEntry& entry : entries) out += to_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return out;
}

Result<std::vector<LedgerEntry>> load_ledger(const std::string& path) {
  const auto text = read_whole(path, kMaxLedgerBytes);
  if (!text) return tl::unexpected(text.error());
  std::vector<LedgerEntry> out;
  std::string_view rest = *text;
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    if (line.size() > kMaxLedgerLineBytes || out.size() >= kMaxLedgerLines) {
      return fail(ErrorKind::kEvidence, fmt::format("{}:{}: too long", path, number), "a line holds at most 64 KiB, a ledger 20 million lines");
    }
    try {
      out.push_back(line[0] == '{' ? from_json(Json::parse(line)) : from_traceparent(line, out.size()));
    } catch (const std::exception& error) {
      return fail(ErrorKind::kEvidence, fmt::format("{}:{}: cannot be read", path, number), error.what(),
                  "expected a JSON object per line, or a traceparent per line");
    }
  }
  return out;
}

}  // namespace hopcheck::store

#include <fmt/format.h>

#include <charconv>

#include "config/answers.h"
#include "config/parts.h"

namespace hopcheck::config {
namespace {

constexpr int64_t kMostNanos = 3600 * int64_t{1'000'000'000};
constexpr uint64_t kMostRequests = 1'000'000;

// google/rpc/code.proto. OK is no refusal.
const std::vector<std::pair<std::string, int>> kGrpcCodes{
    {"CANCELLED", 1},           {"UNKNOWN", 2},         {"INVALID_ARGUMENT", 3}, {"DEADLINE_EXCEEDED", 4},
    {"NOT_FOUND", 5},           {"ALREADY_EXISTS", 6},  {"PERMISSION_DENIED", 7}, {"RESOURCE_EXHAUSTED", 8},
    {"FAILED_PRECONDITION", 9}, {"ABORTED", 10},        {"OUT_OF_RANGE", 11},    {"UNIMPLEMENTED", 12},
    {"INTERNAL", 13},           {"UNAVAILABLE", 14},    {"DATA_LOSS", 15},       {"UNAUTHENTICATED", 16}};

// "3 requests", "1 request"; nullopt when it is not of that form.
std::optional<uint64_t> request_count(const std::string& text) {
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (error != std::errc{} || (unit != " requests" && unit != " request")) return std::nullopt;
  return count;
}

void read_extent(Reader& reader, AnswerStep& step) {
  const Node* node = reader.take("for");
  if (node == nullptr) return;
  step.requests = 1;  // until it is read: what is wrong here has an end, and is one problem
  const std::optional<std::string> text = scalar_text(*node, reader.path_of("for"), reader.problems());
  if (!text) return;
  if (const auto count = request_count(*text)) {
    step.requests = count;
    if (*step.requests == 0 || *step.requests > kMostRequests) {
      reader.problem("for", fmt::format("1 to {} requests", kMostRequests));
    }
    return;
  }
  const bool ends_in_unit = !text->empty() && (text->back() == 's' || text->back() == 'm' || text->back() == 'h');
  const bool names_requests = text->find("request") != std::string::npos;
  if (!ends_in_unit || names_requests) {
    return reader.problem("for", fmt::format("\"{}\" is neither \"3 requests\" nor a duration like 10s",
                                             printable(*text)));
  }
  const int64_t nanos = reader.duration_nanos("for", 0);
  step.requests.reset();
  step.nanos = nanos;
  if (nanos > kMostNanos) reader.problem("for", "at most 1h");
}

void read_refusal(Reader& reader, Answer& answer) {
  answer.kind = Answer::Kind::kRefuse;
  if (reader.has("status") && reader.has("grpc")) reader.problem("grpc", "status says it for both transports");
  if (reader.has("status")) answer.http_status = static_cast<int>(reader.integer("status", 503, {400, 599}));
  if (reader.has("grpc")) answer.grpc_code = reader.choice("grpc", 14, kGrpcCodes);
  if (reader.has("retryAfter")) {
    answer.retry_after_nanos = reader.duration_nanos("retryAfter", 0);
    if (*answer.retry_after_nanos > kMostNanos) reader.problem("retryAfter", "at most 1h");
  }
}

void read_answer(Reader& step, Answer& answer) {
  const Node* node = step.take("answer");
  if (node == nullptr) return;
  if (node->kind != Node::Kind::kMap) {
    answer.kind = step.choice<Answer::Kind>("answer", Answer::Kind::kOk,
                                                {{"ok", Answer::Kind::kOk}, {"reset", Answer::Kind::kReset}});
    return;
  }
  Reader reader(node, step.path_of("answer"), step.problems());
  const bool refuses = reader.has("status") || reader.has("grpc");
  if (refuses == reader.has("rejected")) {
    step.problem("answer", "needs ok, reset, or one of status, grpc and rejected");
    for (const char* key : {"status", "grpc", "retryAfter", "rejected", "message"}) reader.take(key);
    return reader.finish();
  } else if (refuses) {
    read_refusal(reader, answer);
  }
  answer.message = reader.text("message", "");
  if (!refuses) {
    answer.kind = Answer::Kind::kPartial;
    answer.rejected = static_cast<uint64_t>(reader.integer("rejected", 0, {0, 1e9}));
    if (answer.rejected == 0 && answer.message.empty())
      reader.problem("rejected", "0 is a warning: it needs a message");
  }
  reader.finish();
}

AnswerStep read_step(const Node* item, const std::string& where, Problems& problems) {
  Reader reader(item, where, problems);
  AnswerStep step;
  read_extent(reader, step);
  if (!reader.has("answer") && !reader.has("delay")) problems.add(*item, where + ": needs answer or delay");
  read_answer(reader, step.answer);
  step.answer.delay_nanos = reader.duration_nanos("delay", 0);
  if (step.answer.delay_nanos > kMostNanos) reader.problem("delay", "at most 1h");
  reader.finish();
  return step;
}

}  // namespace

Loaded<AnswerPlan> parse_answers(const std::string& text, const std::string& file) {
  Problems problems(file);
  const std::vector<Node> documents = parse_yaml(text, problems);
  AnswerPlan plan;
  if (documents.size() > 1) problems.add(documents[1], "a file of kind Answers is one document");
  const auto head = documents.empty() ? std::nullopt : read_head(documents[0], "Answers", problems);
  if (head && head->spec != nullptr) {
    plan.name = head->name;
    Reader spec(head->spec, "spec", problems);
    for (const Node* item : spec.items("steps", Need::kRequired)) {
      if (!plan.steps.empty() && !plan.steps.back().requests && !plan.steps.back().nanos) {
        problems.add(*item, "the step before it never ends: give it a \"for\"");
      }
      plan.steps.push_back(read_step(item, fmt::format("spec.steps[{}]", plan.steps.size()), problems));
    }
    spec.finish();
  }
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return plan;
}

}  // namespace hopcheck::config

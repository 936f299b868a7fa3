#include "sink/control.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "config/answers.h"
#include "sink/receiver.h"

namespace hopcheck::sink {

namespace {

constexpr uint64_t kMaxPiece = 8u << 20;
constexpr uint64_t kMaxWaitMs = 30'000;

Reply text_reply(int status, const std::string& text) {
  return {status, "text/plain; charset=utf-8", text + "\n", {}, {}, {}};
}
Reply json_reply(const nlohmann::ordered_json& json) {
  return {200, "application/json", json.dump() + "\n", {}, {}, {}};
}

// Value of a decimal query parameter; nullopt when malformed, `absent` when it is not there.
std::optional<uint64_t> number_parameter(std::string_view query, std::string_view name, uint64_t absent) {
  for (const std::string_view pair : split(query, '&')) {
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view digits = pair.substr(equals + 1);
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  }
  return absent;
}

Reply state_reply(const AnswerScript::State& state) {
  nlohmann::ordered_json out;
  out["name"] = state.name;
  out["step"] = state.step;
  out["given"] = state.given;
  out["after"] = state.after;
  return json_reply(out);
}

class NewAnswers : public Exchange {
 public:
  explicit NewAnswers(AnswerScript& answers) : answers_(answers) {}
  std::optional<Reply> finish(const std::string& body) override {
    auto plan = config::parse_answers(body, "answers");
    if (!plan) return text_reply(400, config::to_text(plan.error()));
    answers_.play(std::move(*plan));
    return state_reply(answers_.state());
  }
  Reply failed(BodyFailure) override {
    return text_reply(400, "a file of kind Answers, at most 64 KiB, is wanted here");
  }

 private:
  AnswerScript& answers_;
};

// Asked again every kPollIntervalMs while there is nothing new: a piece then holds what came in meanwhile, where a
// signal for each frame would send each of them alone.
class CapturePiece : public Exchange {
 public:
  CapturePiece(const CaptureState& capture, uint64_t from, uint64_t wait_ms)
      : capture_(capture), from_(from),
        until_(std::chrono::steady_clock::now() + std::chrono::milliseconds(std::min(wait_ms, kMaxWaitMs))) {}

  std::optional<Reply> finish(const std::string&) override {
    const uint64_t bytes = capture_.bytes();
    if (from_ > bytes) return text_reply(416, "the capture has " + std::to_string(bytes) + " bytes only");
    const bool wait = from_ == bytes && !capture_.sealed() && std::chrono::steady_clock::now() < until_;
    if (wait) return std::nullopt;
    return read(std::min(bytes - from_, kMaxPiece));
  }
  Reply failed(BodyFailure) override { return text_reply(400, "no body is wanted here"); }

 private:
  Reply read(uint64_t size) const {
    Reply reply{200, "application/octet-stream", std::string(size, '\0'), {}, {}, {}};
    const int fd = size > 0 ? open(capture_.path().c_str(), O_RDONLY | O_CLOEXEC) : -1;
    size_t done = 0;
    while (fd >= 0 && done < size) {
      const ssize_t got = pread(fd, reply.body.data() + done, size - done, static_cast<off_t>(from_ + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    const int number = errno;
    if (fd >= 0) close(fd);
    if (done < size) return text_reply(500, std::string("cannot read the capture: ") + std::strerror(number));
    return reply;
  }

  const CaptureState& capture_;
  uint64_t from_;
  std::chrono::steady_clock::time_point until_;
};

}  // namespace

Result<void> CaptureState::seal() {
  auto sealed = writer_.seal();
  if (sealed) sealed_ = true;
  return sealed;
}

Control::Control(CaptureState& capture, const Tally& tally, AnswerScript& answers, Secret token, std::string instance)
    : capture_(capture), tally_(tally), answers_(answers), token_(std::move(token)), instance_(std::move(instance)) {}

Reply Control::status() const {
  const TallyCounts counts = tally_.counts();
  nlohmann::ordered_json out;
  out["capture_bytes"] = capture_.bytes();
  out["requests"] = counts.bodies.received;
  out["spans"] = counts.spans;
  out["refused"] = counts.bodies.refused;
  out["aborted"] = counts.bodies.aborted;
  out["sealed"] = capture_.sealed();
  out["instance"] = instance_;
  out["refused_by_reason"] = counts.refused;
  out["refused_spans"] = counts.refused_spans;
  out["rejected_spans"] = counts.rejected_spans;
  out["duplicates"] = counts.duplicates;
  out["mismatches"] = counts.mismatches;
  out["transports"] = nlohmann::ordered_json::object();
  for (const auto& [name, of] : counts.transports) {
    out["transports"][name] = {{"requests", of.requests}, {"accepted", of.accepted}, {"spans", of.spans}};
  }
  return json_reply(out);
}

Reply Control::seal() {
  if (const auto sealed = capture_.seal(); !sealed)
    return text_reply(503, sealed.error().what + ": " + sealed.error().why);
  return status();
}

std::unique_ptr<Exchange> Control::begin(const RequestHead& head) {
  const auto answer = [](Reply reply) { return answered(std::move(reply)); };
  const auto [path, query] = path_and_query(head.target);
  if (path == "/healthz") return answer(text_reply(200, "ok"));
  if (token_.required()) {
    const std::optional<std::string_view> shown = head.field("x-hopcheck-token");
    if (!shown || !token_.matches(*shown)) return answer(text_reply(401, "X-Hopcheck-Token is missing or wrong"));
  }
  const bool is_seal = path == "/seal", is_answers = path == "/answers";
  if (!is_seal && !is_answers && path != "/status" && path != "/capture")
    return answer(text_reply(404, "no such path"));
  if (is_answers && head.method == "POST") return std::make_unique<NewAnswers>(answers_);
  if (head.method != (is_seal ? "POST" : "GET")) {
    Reply reply = text_reply(405, "wrong method");
    reply.fields.emplace_back("Allow", is_seal ? "POST" : is_answers ? "GET, POST" : "GET");
    return answer(std::move(reply));
  }
  if (is_answers) return answer(state_reply(answers_.state()));
  if (is_seal) return answer(seal());
  if (path == "/status") return answer(status());
  const std::optional<uint64_t> from = number_parameter(query, "from", 0);
  const std::optional<uint64_t> wait_ms = number_parameter(query, "wait", 0);
  if (!from || !wait_ms) return answer(text_reply(400, "from and wait are decimal numbers"));
  return std::make_unique<CapturePiece>(capture_, *from, *wait_ms);
}

Reply Control::malformed(int status) { return text_reply(status, "malformed HTTP request"); }

}  // namespace hopcheck::sink

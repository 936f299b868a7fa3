#include "sink/answer_script.h"

namespace hopcheck::sink {

void AnswerScript::play(AnswerPlan plan) {
  const std::lock_guard<std::mutex> lock(mutex_);
  plan_ = std::move(plan);
  state_ = State{plan_.name, std::vector<uint64_t>(plan_.steps.size(), 0), 0, 0};
  met_ = false;
  idle_ = plan_.steps.empty();
}

Answer AnswerScript::next(int64_t now_nanos) {
  if (idle_) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  while (state_.step < plan_.steps.size()) {
    const AnswerStep& step = plan_.steps[state_.step];
    if (!met_) {
      met_ = true;
      since_nanos_ = now_nanos;
    }
    const uint64_t given = state_.given[state_.step];
    const bool over =
        (step.requests && given >= *step.requests) || (step.nanos && now_nanos - since_nanos_ >= *step.nanos);
    if (!over) {
      ++state_.given[state_.step];
      return step.answer;
    }
    ++state_.step;
    met_ = false;
  }
  ++state_.after;
  return {};
}

AnswerScript::State AnswerScript::state() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  State out = state_;
  const auto used_up = [this](size_t step) {
    return plan_.steps[step].requests && state_.given[step] >= *plan_.steps[step].requests;
  };
  while (out.step < plan_.steps.size() && used_up(out.step)) ++out.step;
  return out;
}

}  // namespace hopcheck::sink

#include "run/canary.h"

#include <cstring>

#include "check/hits.h"
#include "plan/expand.h"
#include "sim/synthesize.h"

namespace hopcheck::run {
namespace {

std::vector<check::Hit> judge_spans(const std::vector<Span>& spans, const Scenario& scenario, const ExpectedTree& tree,
                                    const sim::SynthesisInput& input) {
  const check::Classifier classifier(scenario.topology);
  check::Observed observed;
  for (const Span& span : spans) {
    observed.spans.push_back(&span);
    observed.infos.push_back(classifier.classify(span));
  }
  if (!input.root_parent.is_zero()) {
    observed.own_trace = input.trace_id;
    observed.own_parent = input.root_parent;
  }
  const check::Match match = check::match_tree(observed, tree);
  check::PatternCache patterns;
  return check::request_hits({scenario, classifier, observed, tree, match, input.trace_state}, patterns);
}

std::string codes_of(const std::vector<check::Hit>& hits) {
  std::string out;
  for (const check::Hit& hit : hits)
    out += (out.empty() ? "" : " ") + std::string(hit.code) + "(" + subject_key(hit.subject) + ")";
  return out;
}

}  // namespace

Result<CanaryResult> judge_canary(const Scenario& scenario, const MeshProfile& profile, uint64_t seed) {
  plan::ProfileBinding binding;
  binding.fallback = &profile;
  auto expansion = plan::expand(scenario, binding);
  if (!expansion) return tl::unexpected(expansion.error());
  // A journey that leaves nothing to be seen has nothing to mutate.
  std::erase_if(expansion->trees, [](const ExpectedTree& tree) { return tree.spans.empty(); });
  if (expansion->trees.empty()) {
    return fail(ErrorKind::kUsage, "scenario " + scenario.name + " expects no span of any request",
                "a judge that finds nothing cannot be told from one that sees nothing",
                "give it a journey that leaves spans");
  }
  Rng rng(seed ^ 0x63616e617279ull);
  const ExpectedTree& tree = expansion->trees[rng.below(expansion->trees.size())];
  sim::SynthesisInput input;
  input.tree = &tree;
  const uint64_t ids[2] = {rng.next() | 1, rng.next() | 1};
  std::memcpy(input.trace_id.bytes.data(), ids, 16);
  if (scenario.load.traceparent != TraceparentMode::kNone) {
    const uint64_t parent = rng.next() | 1;
    std::memcpy(input.root_parent.bytes.data(), &parent, 8);
    if (!scenario.load.trace_state.empty()) input.trace_state = "hop=canary";
  }
  Arena arena;
  std::vector<Span> spans = sim::synthesize(input, arena, rng);
  CanaryResult out;
  const auto clean = judge_spans(spans, scenario, tree, input);
  out.clean_passes = clean.empty();
  const auto mutation = static_cast<sim::Mutation>(rng.below(static_cast<uint64_t>(sim::Mutation::kCount)));
  out.mutation = sim::to_string(mutation);
  sim::mutate(mutation, spans, arena, rng);
  const auto hits = judge_spans(spans, scenario, tree, input);
  out.reported = !hits.empty();
  out.detail = out.clean_passes ? codes_of(hits) : "clean trace accused of " + codes_of(clean);
  return out;
}

}  // namespace hopcheck::run

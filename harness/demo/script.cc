#include "demo/script.h"

#include <algorithm>
#include <map>

namespace hopcheck::demo {
namespace {

tl::unexpected<Error> bad(const Service& service, const std::string& why) {
  return fail(ErrorKind::kUsage, "service " + service.name + " cannot be played", why, "correct the topology file");
}

class Compiler {
 public:
  Compiler(const Topology& topology, const Service& service, const std::string& version)
      : topology_(topology), service_(service), version_(version) {}

  Result<Script> compile() {
    script_.instrumentation = service_.instrumentation;
    if (service_.instrumentation == Instrumentation::kAuto) return bad(service_, "its spans are made by an SDK");
    const bool sdk = service_.instrumentation == Instrumentation::kSdk;
    script_.client_spans = sdk && service_.client_spans;
    if (sdk) {
      if (const std::string problem = add_spans(); !problem.empty()) return bad(service_, problem);
    }
    if (const std::string problem = add_calls(); !problem.empty()) return bad(service_, problem);
    mark_spans_with_calls();
    emit_steps();
    return script_;
  }

 private:
  std::string add_spans() {
    if (service_.spans.empty()) return "its instrumentation is sdk, but it lists no spans";
    if (service_.spans.size() > kMaxSpans) return "it has more than " + std::to_string(kMaxSpans) + " spans";
    for (const AppSpan& span : service_.spans) {
      if (!by_name_.emplace(span.name, static_cast<int>(by_name_.size())).second) {
        return "two of its spans are called '" + span.name + "'";
      }
    }
    for (const AppSpan& span : service_.spans) {
      const bool first = script_.spans.empty();
      ScriptSpan out{span.name, span.kind, first ? -1 : 0};
      if (!span.parent.empty()) {
        const auto found = by_name_.find(span.parent);
        if (first) return "its first span '" + span.name + "' must have no parent";
        if (found == by_name_.end()) return "span '" + span.name + "' has the unknown parent '" + span.parent + "'";
        out.parent = found->second;
      }
      script_.spans.push_back(out);
    }
    for (size_t i = 0; i < script_.spans.size(); ++i) {
      int at = static_cast<int>(i);
      for (size_t up = 0; at > 0; ++up) {
        if (up > script_.spans.size()) return "the parents of span '" + script_.spans[i].name + "' form a circle";
        at = script_.spans[at].parent;
      }
    }
    return "";
  }

  std::string add_calls() {
    bool was_parallel = false;
    for (const Call& call : service_.calls) {
      if (!call.when.empty() && std::find(call.when.begin(), call.when.end(), version_) == call.when.end()) continue;
      ScriptCall out;
      if (const std::string problem = resolve(call, out); !problem.empty()) return problem;
      for (int repeat = 0; repeat < call.count; ++repeat) {
        if (script_.calls.size() == kMaxCalls) return "it makes more than " + std::to_string(kMaxCalls) + " calls";
        if (!call.parallel || !was_parallel) groups_.emplace_back();
        groups_.back().push_back(static_cast<int>(script_.calls.size()));
        script_.calls.push_back(out);
        was_parallel = call.parallel;
      }
    }
    return "";
  }

  std::string resolve(const Call& call, ScriptCall& out) const {
    const int index = topology_.find(call.to);
    if (index < 0) return "it calls '" + call.to + "', which is not in the topology";
    const Service& target = topology_.services[static_cast<size_t>(index)];
    out = {target.name, target.ns.empty() ? topology_.ns : target.ns, call.port, {}, call.method, call.path, -1};
    if (call.port == 0) {
      if (target.ports.empty()) return "it calls '" + call.to + "', which has no port";
      out.port = target.ports.front().port;
    } else if (std::none_of(target.ports.begin(), target.ports.end(),
                            [&](const ServicePort& port) { return port.port == call.port; })) {
      return "it calls port " + std::to_string(call.port) + " of '" + call.to + "', which that service does not have";
    }
    out.protocol = plan::protocol_of(target, out.port);
    if (script_.spans.empty()) return "";
    out.span = 0;
    if (call.parent.empty()) return "";
    const auto found = by_name_.find(call.parent);
    if (found == by_name_.end()) return "its call to '" + call.to + "' has the unknown parent '" + call.parent + "'";
    out.span = found->second;
    return "";
  }

  // last_group_[s]: the last group with a call made under s or under a span below it; -1: none.
  void mark_spans_with_calls() {
    last_group_.assign(script_.spans.size(), -1);
    for (size_t group = 0; group < groups_.size(); ++group) {
      for (const int call : groups_[group]) {
        for (int at = script_.calls[call].span; at >= 0; at = script_.spans[at].parent) {
          last_group_[at] = static_cast<int>(group);
        }
      }
    }
  }

  void emit_steps() {
    open_.assign(script_.spans.size(), false);
    if (!script_.spans.empty()) {
      open_[0] = true;
      emit_call_free_children(0);
    }
    for (size_t group = 0; group < groups_.size(); ++group) {
      for (const int call : groups_[group]) emit_open(script_.calls[call].span);
      script_.steps.push_back({Step::Type::kCalls, -1, groups_[group]});
      emit_closes(static_cast<int>(group));
    }
  }

  // Opens the span and what it hangs under, outermost first. Depth is at most kMaxSpans.
  void emit_open(int span) {
    if (span < 0 || open_[span]) return;
    emit_open(script_.spans[span].parent);
    open_[span] = true;
    script_.steps.push_back({Step::Type::kOpen, span, {}});
    emit_call_free_children(span);
  }

  void emit_call_free_children(int parent) {
    for (size_t i = 1; i < script_.spans.size(); ++i) {
      if (script_.spans[i].parent != parent || last_group_[i] >= 0) continue;
      script_.steps.push_back({Step::Type::kOpen, static_cast<int>(i), {}});
      emit_call_free_children(static_cast<int>(i));
      script_.steps.push_back({Step::Type::kClose, static_cast<int>(i), {}});
    }
  }

  void emit_closes(int group) {
    std::vector<std::pair<int, int>> done;  // (-depth, span): innermost first
    for (size_t i = 1; i < script_.spans.size(); ++i) {
      if (last_group_[i] != group) continue;
      int depth = 0;
      for (int at = static_cast<int>(i); at > 0; at = script_.spans[at].parent) ++depth;
      done.emplace_back(-depth, static_cast<int>(i));
    }
    std::sort(done.begin(), done.end());
    for (const auto& entry : done) script_.steps.push_back({Step::Type::kClose, entry.second, {}});
  }

  const Topology& topology_;
  const Service& service_;
  const std::string& version_;
  Script script_;
  std::map<std::string, int> by_name_;
  std::vector<std::vector<int>> groups_;  // calls issued together, in order
  std::vector<int> last_group_;
  std::vector<bool> open_;
};

}  // namespace

Result<Script> compile_script(const Topology& topology, const Service& service, const std::string& version) {
  return Compiler(topology, service, version).compile();
}

std::string to_text(const Script& script) {
  std::string out;
  for (const Step& step : script.steps) {
    if (!out.empty()) out += ", ";
    if (step.type == Step::Type::kCalls) {
      out += "call ";
      for (size_t i = 0; i < step.calls.size(); ++i) out += (i ? "+" : "") + script.calls[step.calls[i]].to;
    } else {
      out += (step.type == Step::Type::kOpen ? "open " : "close ") + script.spans[step.span].name;
    }
  }
  return out;
}

}  // namespace hopcheck::demo

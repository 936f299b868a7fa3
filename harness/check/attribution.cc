#include "check/attribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "plan/intent.h"

namespace hopcheck::check {
namespace {

bool same_value(const AnyValue& a, const AnyValue& b) {
  if (a.type != b.type) return false;
  switch (a.type) {
    case AnyValue::Type::kBool: return a.boolean == b.boolean;
    case AnyValue::Type::kInt: return a.integer == b.integer;
    case AnyValue::Type::kDouble: return a.real == b.real;
    default: return a.text == b.text;
  }
}

bool same_attributes(const AttributeList& a, const AttributeList& b) {
  if (a.size != b.size) return false;
  for (const Attribute& attribute : a) {
    const AnyValue* other = b.find(attribute.key);
    if (other == nullptr || !same_value(*a.find(attribute.key), *other)) return false;
  }
  return true;
}

// All of a span's content as one text, for an order among spans whose ids, start and name are equal.
std::string content_key(const Span& span) {
  std::string out = fmt::format("{}|{}|{}|{}|{}|{}|{}", to_hex(span.parent_id), span.end_unix_nanos,
                                static_cast<int>(span.kind), static_cast<int>(span.status), span.trace_state,
                                span.scope->name, span.resource->service_name);
  for (const AttributeList* list : {&span.attributes, &span.resource->attributes}) {
    for (const Attribute& attribute : *list) {
      const AnyValue& value = attribute.value;
      const bool text = value.type != AnyValue::Type::kBool && value.type != AnyValue::Type::kInt &&
                        value.type != AnyValue::Type::kDouble;
      out += fmt::format("|{}={}:{}", attribute.key, static_cast<int>(value.type),
                         text ? std::string(value.text) : std::to_string(value.integer));
    }
  }
  return out;
}

class Attributor {
 public:
  Attributor(const JudgeInput& input, const std::vector<std::unique_ptr<Classifier>>& classifiers)
      : input_(input), spans_(*input.spans), classifiers_(classifiers) {
    if (input.tag) {
      cipher_.emplace(*input.tag);
      run8_ = cipher_->run8();
    }
    for (size_t i = 0; i < input.scenarios.size(); ++i) {
      for (const LedgerEntry& entry : input.scenarios[i].ledger) {
        scenario_of_[entry.intent.n] = static_cast<int>(i);
        if (!entry.intent.trace_id.is_zero()) by_trace_id_[entry.intent.trace_id] = entry.intent.n;
      }
    }
  }

  Attribution run() {
    out_.span_class.assign(spans_.size(), SpanClass::kMatched);
    group();
    for (TraceGroup& trace : out_.traces) attribute_directly(trace);
    attribute_by_request_id();
    for (TraceGroup& trace : out_.traces) settle(trace);
    return std::move(out_);
  }

 private:
  void group() {
    std::vector<uint32_t> order(spans_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      const Span &x = spans_[a], &y = spans_[b];
      if (x.trace_id != y.trace_id) return x.trace_id < y.trace_id;
      if (x.span_id != y.span_id) return x.span_id < y.span_id;
      if (x.start_unix_nanos != y.start_unix_nanos) return x.start_unix_nanos < y.start_unix_nanos;
      if (x.name != y.name) return x.name < y.name;
      // Which of two conflicting spans stands for the id must not hang on which arrived first.
      const int content = content_key(x).compare(content_key(y));
      return content != 0 ? content < 0 : a < b;
    });
    for (size_t i = 0; i < order.size(); ++i) {
      const uint32_t index = order[i];
      const Span& span = spans_[index];
      if (i > 0 && spans_[order[i - 1]].trace_id == span.trace_id && spans_[order[i - 1]].span_id == span.span_id &&
          span.ids_valid) {
        const uint32_t first = out_.traces.back().spans.back();
        if (same_content(spans_[first], span)) {
          out_.span_class[index] = SpanClass::kDuplicate;
        } else {
          out_.span_class[index] = SpanClass::kConflict;
          out_.conflicts.emplace_back(first, index);
        }
        continue;
      }
      // A trace id of zeros joins nothing: each such span stands alone.
      if (out_.traces.empty() || out_.traces.back().id != span.trace_id || span.trace_id.is_zero()) {
        out_.traces.emplace_back();
        out_.traces.back().id = span.trace_id;
      }
      out_.traces.back().spans.push_back(index);
    }
    for (TraceGroup& trace : out_.traces) {
      std::stable_sort(trace.spans.begin(), trace.spans.end(), [&](uint32_t a, uint32_t b) {
        return spans_[a].start_unix_nanos < spans_[b].start_unix_nanos;
      });
    }
  }

  void attribute_directly(TraceGroup& trace) {
    if (trace.id.is_zero()) {
      // No id, no request by id.
    } else if (const auto own = cipher_ ? cipher_->request_of(trace.id) : std::nullopt) {
      assign(trace, *own, false);
    } else if (const auto known = by_trace_id_.find(trace.id); known != by_trace_id_.end()) {
      assign(trace, known->second, false);
    }
    if (run8_.empty()) return;
    // Of a trace that mixes two requests the one whose tag stands nearest to the root made the trace.
    const bool which = trace.n == kNoRequest && several_tags(trace);
    const std::vector<uint32_t> from_root = which ? from_root_down(trace) : std::vector<uint32_t>{};
    for (uint32_t index : which ? from_root : trace.spans) {
      const std::string_view url = spans_[index].attributes.text("http.url");
      if (url.empty()) continue;
      if (const auto hop = plan::parse_hop(url, run8_)) assign(trace, hop->n, hop->warmup);
      trace.of_another_run = trace.of_another_run || plan::hop_of_another_run(url, run8_);
    }
  }

  bool several_tags(const TraceGroup& trace) const {
    std::optional<uint64_t> first;
    for (uint32_t index : trace.spans) {
      const auto hop = plan::parse_hop(spans_[index].attributes.text("http.url"), run8_);
      if (hop && !first) first = hop->n;
      if (hop && hop->n != *first) return true;
    }
    return false;
  }

  // A trace's spans by their distance from its root; what hangs on no root comes last.
  std::vector<uint32_t> from_root_down(const TraceGroup& trace) const {
    std::unordered_map<SpanId, std::vector<uint32_t>, IdHash> below;
    std::vector<uint32_t> out;
    for (uint32_t index : trace.spans) {
      if (spans_[index].parent_id.is_zero()) out.push_back(index);
      else below[spans_[index].parent_id].push_back(index);
    }
    for (size_t i = 0; i < out.size(); ++i) {
      const auto found = below.find(spans_[out[i]].span_id);
      if (found == below.end()) continue;
      out.insert(out.end(), found->second.begin(), found->second.end());
      below.erase(found);
    }
    const std::unordered_set<uint32_t> reached(out.begin(), out.end());
    for (uint32_t index : trace.spans) {
      if (reached.count(index) == 0) out.push_back(index);
    }
    return out;
  }

  void assign(TraceGroup& trace, uint64_t n, bool warmup) {
    if (warmup || scenario_of_.find(n) == scenario_of_.end()) {
      trace.warmup = true;  // ours, but no judged request
      return;
    }
    // The trace id decides, else the first tag; another request's tag is a mixture.
    if (trace.n == kNoRequest) trace.n = n;
    if (trace.n != n) trace.mixed = true;
  }

  // Pieces of a split trace that neither carry our id nor a hop: joined by x-request-id to the request it was seen
  // with.
  void attribute_by_request_id() {
    std::unordered_map<std::string_view, uint64_t> by_id;
    for (const TraceGroup& trace : out_.traces) {
      if (trace.n == kNoRequest || trace.warmup) continue;
      for (uint32_t index : trace.spans) {
        const std::string_view id = spans_[index].attributes.text("guid:x-request-id");
        if (!id.empty()) by_id.emplace(id, trace.n);
      }
    }
    if (by_id.empty()) return;
    for (TraceGroup& trace : out_.traces) {
      if (trace.n != kNoRequest || trace.warmup) continue;
      for (uint32_t index : trace.spans) {
        const auto found = by_id.find(spans_[index].attributes.text("guid:x-request-id"));
        if (found != by_id.end()) {
          trace.n = found->second;
          break;
        }
      }
    }
  }

  void settle(TraceGroup& trace) {
    if (trace.n != kNoRequest) {
      trace.warmup = false;
      trace.scenario = scenario_of_[trace.n];
      return;
    }
    if (trace.warmup) {
      for (uint32_t index : trace.spans) out_.span_class[index] = SpanClass::kWarmup;
      return;
    }
    trace.scenario = trace.of_another_run ? -1 : owner_by_proxies(trace);
    for (uint32_t index : trace.spans) {
      out_.span_class[index] = trace.scenario >= 0 ? SpanClass::kDetached : SpanClass::kForeign;
    }
  }

  // A span of a proxy or route of a topology makes the trace that topology's.
  int owner_by_proxies(const TraceGroup& trace) const {
    for (size_t i = 0; i < classifiers_.size(); ++i) {
      for (uint32_t index : trace.spans) {
        const SpanInfo info = classifiers_[i]->classify(spans_[index]);
        const bool gateway_alone = info.service == kGatewayService && info.peer < 0;
        if (info.mesh && !gateway_alone && (info.service >= 0 || info.peer >= 0)) return static_cast<int>(i);
      }
    }
    return -1;
  }

  const JudgeInput& input_;
  const std::vector<Span>& spans_;
  const std::vector<std::unique_ptr<Classifier>>& classifiers_;
  std::optional<plan::TagCipher> cipher_;
  std::string run8_;
  std::unordered_map<uint64_t, int> scenario_of_;
  std::unordered_map<TraceId, uint64_t, IdHash> by_trace_id_;
  Attribution out_;
};

}  // namespace

bool same_content(const Span& a, const Span& b) {
  return a.trace_id == b.trace_id && a.span_id == b.span_id && a.parent_id == b.parent_id && a.name == b.name &&
         a.kind == b.kind && a.status == b.status && a.status_message == b.status_message &&
         a.trace_state == b.trace_state && a.flags == b.flags && a.start_unix_nanos == b.start_unix_nanos &&
         a.end_unix_nanos == b.end_unix_nanos && a.event_count == b.event_count && a.link_count == b.link_count &&
         same_attributes(a.attributes, b.attributes) &&
         same_attributes(a.resource->attributes, b.resource->attributes) && a.scope->name == b.scope->name;
}

Attribution attribute(const JudgeInput& input, const std::vector<std::unique_ptr<Classifier>>& classifiers) {
  return Attributor(input, classifiers).run();
}

}  // namespace hopcheck::check

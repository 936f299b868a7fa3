#include "check/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace hopcheck::check {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxTextBytes = 4000;  // of one shape in a message

using Children = std::map<SpanId, std::vector<const Span*>>;

struct Trace {
  uint64_t start = UINT64_MAX;
  std::vector<const Span*> spans;
  std::map<SpanId, const Span*> by_id;
  Children children;
  std::set<const Span*> replaced;  // SERVER spans of attempts that the caller's proxy gave up for a retry

  const Span* parent_of(const Span& span) const {
    const auto found = by_id.find(span.parent_id);
    return span.parent_id.is_zero() || found == by_id.end() ? nullptr : found->second;
  }
};

// Finds children and replaced attempts once all spans of the trace are there.
void complete(Trace& trace) {
  for (const Span* span : trace.spans) {
    if (trace.parent_of(*span) != nullptr) trace.children[span->parent_id].push_back(span);
  }
  for (const auto& [id, below] : trace.children) {
    const Span& caller = *trace.by_id.at(id);
    if (caller.kind != SpanKind::kClient) continue;
    const bool canceled = caller.attributes.text("canceled") == "true";
    uint64_t last = 0;
    for (const Span* attempt : below) last = std::max(last, attempt->start_unix_nanos);
    for (const Span* attempt : below) {
      if (attempt->kind == SpanKind::kServer && (canceled || attempt->start_unix_nanos < last)) {
        trace.replaced.insert(attempt);
      }
    }
  }
}

// A proxy that retries on the response's headers drops the attempt's connection while the other side may still be
// writing the body: whether that side notes DC and size 0, or neither, is a race (facts 9, item 3; the recorded
// captures hold both).
bool is_race(const Trace& trace, const Span& span, std::string_view key, std::string_view value) {
  if (!trace.replaced.contains(&span)) return false;
  return key == "response_size" || (key == "response_flags" && (value == "-" || value == "DC"));
}

std::string identity_of(const Span& span) {
  return fmt::format("{} {} {}", span.resource->service_name, to_string(span.kind), span.name);
}

// The address in "sidecar~10.0.0.7~pod.ns~ns.svc.cluster.local".
std::string_view node_address(const Span& span) {
  std::string_view id = span.attributes.text("node_id");
  const size_t first = id.find('~');
  if (first == std::string_view::npos) return "";
  id.remove_prefix(first + 1);
  return id.substr(0, id.find('~'));
}

// "<type>~*~<workload>-*.<ns>~<rest>": a Deployment's pod is "<workload>-<hash>-<suffix>".
std::string general_node_id(std::string_view id) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= id.size();) {
    const size_t end = std::min(id.find('~', from), id.size());
    parts.emplace_back(id.substr(from, end - from));
    from = end + 1;
  }
  if (parts.size() != 4) return std::string(id);
  const size_t dot = parts[2].find('.');
  std::string pod = parts[2].substr(0, dot);
  for (int cut = 0; cut < 2; ++cut) pod = pod.substr(0, pod.rfind('-'));
  const std::string ns = dot == std::string::npos ? "" : parts[2].substr(dot);
  return fmt::format("{}~*~{}-*{}~{}", parts[0], pod, ns, parts[3]);
}

// "<sha>/1.38.3/Clean/RELEASE/BoringSSL" → "*/1.38.3/*/RELEASE/BoringSSL"; anything else stays.
std::string general_version(std::string_view version) {
  std::vector<std::string_view> parts;
  for (size_t from = 0; from <= version.size();) {
    const size_t end = std::min(version.find('/', from), version.size());
    parts.push_back(version.substr(from, end - from));
    from = end + 1;
  }
  if (parts.size() != 5) return std::string(version);
  return fmt::format("*/{}/*/{}/{}", parts[1], parts[3], parts[4]);
}

std::string whose_address(std::string_view address, const Span& span, const Span* parent) {
  const size_t colon = address.rfind(':');
  const std::string_view host = address.substr(0, colon);
  const char* form = colon == std::string_view::npos ? "ip" : "ip:port";
  if (!host.empty() && host == node_address(span)) return fmt::format("{}, own", form);
  if (parent != nullptr && !host.empty() && host == node_address(*parent)) return fmt::format("{}, caller's", form);
  return fmt::format("{}, other", form);
}

std::string request_id_relation(std::string_view id, const Span* parent) {
  if (parent == nullptr || parent->attributes.find("guid:x-request-id") == nullptr) return "new";
  return id == parent->attributes.text("guid:x-request-id") ? "same as the parent's" : "other than the parent's";
}

std::string general_value(const Attribute& attribute, const Span& span, const Trace& trace) {
  const std::string_view key = attribute.key, text = attribute.value.text;
  const Span* parent = trace.parent_of(span);
  if (attribute.value.type != AnyValue::Type::kString) return "*";
  if (is_race(trace, span, key, text)) return "that of a replaced attempt";
  if (key == "node_id") return general_node_id(text);
  if (key == "peer.address" || key == "upstream_address") return whose_address(text, span, parent);
  if (key == "guid:x-request-id") return request_id_relation(text, parent);
  if (key == "telemetry.sdk.version") return general_version(text);
  if (key == "request_size" || key == "response_size") return text == "0" ? "0" : "n";
  if (key == "http.url") return std::string(text.substr(0, text.find('?')));
  if (key == "user_agent" || key == "service.instance.id") return "*";
  return std::string(text);
}

std::string parent_kind(const Span& span, const Span* parent) {
  if (parent != nullptr) return identity_of(*parent);
  return span.parent_id.is_zero() ? "none" : "a span that is not here";
}

void add_facts(const Span& span, const Trace& trace, std::map<std::string, uint64_t>& facts) {
  ++facts["spans"];
  ++facts["parent " + parent_kind(span, trace.parent_of(span))];
  ++facts[fmt::format("status {} '{}'", to_string(span.status), span.status_message)];
  ++facts[fmt::format("flags {}", span.flags)];
  ++facts[fmt::format("links {} events {}", span.link_count, span.event_count)];
  ++facts[span.trace_state.empty() ? "no trace state" : "trace state"];
  ++facts[span.scope->present ? fmt::format("scope {} {}", span.scope->name, general_version(span.scope->version))
                              : std::string("no scope")];
  ++facts[fmt::format("resource schema '{}'", span.resource->schema_url)];
  for (const Attribute& a : span.attributes) {
    ++facts[fmt::format("{}:{} = {}", a.key, type_name(a.value.type), general_value(a, span, trace))];
  }
  for (const Attribute& a : span.resource->attributes) {
    ++facts[fmt::format("resource {}:{} = {}", a.key, type_name(a.value.type), general_value(a, span, trace))];
  }
}

std::string shape_of(const Span& span, const Trace& trace, int depth) {
  std::string out = identity_of(span);
  for (const char* key : {"http.status_code", "response_flags", "retry.count", "canceled"}) {
    const std::string_view value = span.attributes.text(key);
    if (!value.empty() && value != "-" && !is_race(trace, span, key, value)) out += fmt::format(" {}={}", key, value);
  }
  if (span.status != StatusCode::kUnset) out += fmt::format(" {}", to_string(span.status));
  const auto below = trace.children.find(span.span_id);
  if (below == trace.children.end() || depth >= kMaxDepth) return out;
  std::vector<std::string> parts;
  for (const Span* child : below->second) parts.push_back(shape_of(*child, trace, depth + 1));
  std::sort(parts.begin(), parts.end());
  return fmt::format("{} [{}]", out, fmt::join(parts, "; "));
}

std::string shape_of(const Trace& trace) {
  std::vector<std::string> parts;
  for (const Span* span : trace.spans) {
    if (trace.parent_of(*span) != nullptr) continue;
    parts.push_back((span->parent_id.is_zero() ? "" : "below a span that is not here: ") + shape_of(*span, trace, 0));
  }
  std::sort(parts.begin(), parts.end());
  return fmt::format("{} spans: {}", trace.spans.size(), fmt::join(parts, " | "));
}

void compare_counts(const std::string& subject, const std::map<std::string, uint64_t>& expected,
                    const std::map<std::string, uint64_t>& actual, CountRule rule,
                    std::vector<SignatureDifference>& out) {
  std::map<std::string, std::pair<uint64_t, uint64_t>> both;
  for (const auto& [what, count] : expected) both[what].first = count;
  for (const auto& [what, count] : actual) both[what].second = count;
  for (const auto& [what, counts] : both) {
    bool differs = counts.first != counts.second;
    if (rule != CountRule::kExact) differs = counts.first == 0 || counts.second == 0;
    if (rule == CountRule::kSubset) differs = counts.first == 0;
    if (differs) out.push_back({subject, what, counts.first, counts.second});
  }
}

}  // namespace

const char* type_name(AnyValue::Type type) {
  switch (type) {
    case AnyValue::Type::kString: return "string";
    case AnyValue::Type::kBool: return "bool";
    case AnyValue::Type::kInt: return "int";
    case AnyValue::Type::kDouble: return "double";
    case AnyValue::Type::kBytes: return "bytes";
    case AnyValue::Type::kArray: return "array";
    case AnyValue::Type::kKvlist: return "kvlist";
    case AnyValue::Type::kEmpty: break;
  }
  return "empty";
}

Signature signature_of(const std::vector<Span>& spans, size_t skip_first) {
  std::map<TraceId, Trace> traces;
  for (const Span& span : spans) {
    Trace& trace = traces[span.trace_id];
    trace.start = std::min(trace.start, span.start_unix_nanos);
    trace.spans.push_back(&span);
    trace.by_id[span.span_id] = &span;
  }
  std::vector<Trace*> ordered;
  for (auto& [id, trace] : traces) ordered.push_back(&trace);
  std::stable_sort(ordered.begin(), ordered.end(), [](const Trace* a, const Trace* b) { return a->start < b->start; });
  Signature out;
  for (size_t i = std::min(skip_first, ordered.size()); i < ordered.size(); ++i) {
    Trace& trace = *ordered[i];
    complete(trace);
    ++out.traces;
    out.spans += trace.spans.size();
    ++out.shapes[shape_of(trace)];
    for (const Span* span : trace.spans) add_facts(*span, trace, out.facts[identity_of(*span)]);
  }
  return out;
}

std::vector<SignatureDifference> compare_signatures(const Signature& expected, const Signature& actual,
                                                    CountRule rule) {
  std::vector<SignatureDifference> out;
  compare_counts("", expected.shapes, actual.shapes, rule, out);
  std::set<std::string> identities;
  for (const auto& [identity, facts] : expected.facts) identities.insert(identity);
  for (const auto& [identity, facts] : actual.facts) identities.insert(identity);
  for (const std::string& identity : identities) {
    const auto e = expected.facts.find(identity);
    const auto a = actual.facts.find(identity);
    // A span that only one side has is one difference, not one for each of its attributes.
    if (e == expected.facts.end()) {
      out.push_back({identity, "spans", 0, a->second.at("spans")});
    } else if (a == actual.facts.end()) {
      if (rule != CountRule::kSubset) out.push_back({identity, "spans", e->second.at("spans"), 0});
    } else {
      compare_counts(identity, e->second, a->second, rule, out);
    }
  }
  return out;
}

std::string to_text(const std::vector<SignatureDifference>& differences) {
  if (differences.empty()) return "no difference\n";
  std::string out;
  for (const SignatureDifference& d : differences) {
    out += fmt::format("{}: {}: expected {}, actual {}\n", d.subject.empty() ? "trace" : d.subject,
                       d.what.substr(0, kMaxTextBytes), d.expected, d.actual);
  }
  return out;
}

}  // namespace hopcheck::check

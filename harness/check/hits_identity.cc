// Names, kind, scope, resource and span attributes, status of each matched span (facts 1.1–1.5; rows O-40, O-50…O-55,
// M-50…M-53).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "check/hits_internal.h"
#include "plan/expand.h"

namespace hopcheck::check {
namespace {

class SpanJudge {
 public:
  SpanJudge(HitList& list, int e, PatternCache& patterns)
      : list_(list), e_(e), expected_(list.view.tree.spans[e]), span_(*list.span_at(e)), info_(*list.info_at(e)),
        patterns_(patterns) {}

  void run() {
    if (!span_.ids_valid) add("HOP0508", "", "a 16-byte trace id and an 8-byte span id, not zero", "invalid");
    if (span_.resource->service_name != expected_.service_name) {
      add("HOP0401", "", expected_.service_name, std::string(span_.resource->service_name));
    }
    if (span_.kind != expected_.kind) {
      add("HOP0501", expected_.role == ProxyRole::kNone ? expected_.name : to_string(expected_.role),
          to_string(expected_.kind), to_string(span_.kind));
    }
    if (!named_as_expected()) judge_name();
    if (expected_.role != ProxyRole::kNone) judge_proxy();
    else if (!expected_.scope.empty()) judge_app();
  }

 private:
  void add(const char* code, std::string object, std::string expected, std::string actual) {
    Hit hit;
    hit.code = code;
    hit.expected_index = e_;
    hit.span = list_.view.match.span_of[e_];
    hit.subject.service = list_.service_at(e_);
    hit.subject.object = std::move(object);
    hit.expected = std::move(expected);
    hit.actual = std::move(actual);
    list_.add(std::move(hit));
  }

  // {authority} in the expected name is what the caller put into the request, which the span's own http.url tells.
  bool named_as_expected() const {
    if (span_.name == expected_.name) return true;
    constexpr std::string_view kAuthority = "{authority}";
    const size_t at = expected_.name.find(kAuthority);
    if (expected_.role == ProxyRole::kNone || at == std::string::npos) return false;
    // Without the URL (HOP0504) nobody knows the authority: any will do.
    if (info_.url.empty())
      return span_.name.starts_with(expected_.name.substr(0, at)) &&
             span_.name.ends_with(expected_.name.substr(at + kAuthority.size()));
    return span_.name == substitute(expected_.name, [&](std::string_view name) -> std::optional<std::string> {
             if (name == "authority") return std::string(url_authority(info_.url));
             return std::nullopt;
           });
  }

  void judge_name() {
    if (expected_.role == ProxyRole::kNone) {
      add("HOP0403", expected_.name, expected_.name, std::string(span_.name));
      return;
    }
    Hit hit;
    hit.code = "HOP0402";
    hit.expected_index = e_;
    hit.span = list_.view.match.span_of[e_];
    hit.subject.hop = list_.hop_at(e_);
    hit.expected = expected_.name;
    hit.actual = std::string(span_.name);
    list_.add(std::move(hit));
  }

  void judge_proxy() {
    const std::string_view sdk = span_.resource->attributes.text("telemetry.sdk.version");
    const std::string minor = plan::envoy_minor_of(sdk);
    if (!minor.empty() && !expected_.envoy_minor.empty() && minor != expected_.envoy_minor) {
      add("HOP0507", "telemetry.sdk.version", "Envoy " + expected_.envoy_minor, "Envoy " + minor);
    } else {
      judge_scope();
      for (const ExpectedAttribute& attribute : expected_.resource) {
        if (attribute.key == "service.name") continue;  // HOP0401
        judge_attribute("HOP0503", attribute, span_.resource->attributes);
      }
    }
    for (const ExpectedAttribute& attribute : expected_.attributes)
      judge_attribute("HOP0504", attribute, span_.attributes);
    if (!expected_.method.empty() && info_.method != expected_.method) {
      add("HOP0504", "http.method", expected_.method, std::string(info_.method));
    }
    if (!expected_.path.empty() && url_path(info_.url) != expected_.path) {
      add("HOP0504", "http.url", "path " + expected_.path, std::string(info_.url));
    }
    judge_status();
  }

  // An app span of an SDK whose facts are known.
  void judge_app() {
    if (!span_.scope->present || span_.scope->name != expected_.scope) {
      add("HOP0502", "", expected_.scope, span_.scope->present ? std::string(span_.scope->name) : "no scope");
    }
    for (const ExpectedAttribute& one : expected_.resource)
      judge_app_attribute("HOP0503", one, span_.resource->attributes);
    for (const ExpectedAttribute& one : expected_.attributes) judge_app_attribute("HOP0504", one, span_.attributes);
  }

  void judge_app_attribute(const char* code, const ExpectedAttribute& want, const AttributeList& have) {
    const bool integer = want.type == AttributeRule::Type::kInteger;
    const AnyValue* value = have.find(want.key);
    if (value == nullptr) {
      if (want.when != AttributeRule::When::kOptional)
        add(code, want.key, want.value.empty() ? "present" : want.value, "absent");
    } else if (value->type != (integer ? AnyValue::Type::kInt : AnyValue::Type::kString)) {
      add(code, want.key, integer ? "an integer" : "a string", "another type");
    } else if (!want.value.empty()) {
      const std::string text = integer ? std::to_string(value->integer) : std::string(value->text);
      if (want.regex ? !patterns_.matches(want.value, text) : text != want.value) add(code, want.key, want.value, text);
    }
  }

  void judge_scope() {
    const MeshProfile& want = *expected_.profile;
    if (span_.scope->present != want.scope_present || (want.scope_present && span_.scope->name != want.scope_name)) {
      add("HOP0502", "", want.scope_present ? want.scope_name : "no scope",
          span_.scope->present ? std::string(span_.scope->name) : "no scope");
    }
  }

  void judge_attribute(const char* code, const ExpectedAttribute& want, const AttributeList& have) {
    const AnyValue* value = have.find(want.key);
    const bool error = info_.http_status >= 400 || info_.http_status == 0;
    if (value == nullptr) {
      const bool due = want.when == AttributeRule::When::kAlways ||
                       (want.when == AttributeRule::When::kRouted && !info_.cluster.empty() && !error);
      if (due) add(code, want.key, want.value.empty() ? "present" : want.value, where_else(want.key, have));
      return;
    }
    if (want.when == AttributeRule::When::kNever) {
      add(code, want.key, "absent", std::string(value->text));
      return;
    }
    if (value->type != AnyValue::Type::kString) {
      add(code, want.key, "a string", "another type");
      return;
    }
    if (want.value.empty() || error) return;
    const bool fits = want.regex ? patterns_.matches(want.value, value->text) : value->text == want.value;
    if (!fits) add(code, want.key, want.value, std::string(value->text));
  }

  // Older writings place istio.* on the resource (row D-14): a value that stands there is known, and where it stands
  // said.
  std::string where_else(const std::string& key, const AttributeList& have) const {
    const bool asked_of_span = have.data == span_.attributes.data;
    const AttributeList& other = asked_of_span ? span_.resource->attributes : span_.attributes;
    const AnyValue* value = other.find(key);
    if (value == nullptr) return "absent";
    return fmt::format("on the {}: {}", asked_of_span ? "resource" : "span",
                       value->type == AnyValue::Type::kString ? std::string(value->text) : "no string");
  }

  void judge_status() {
    // By the tables of the proxy's own version. A replaced or disconnected attempt has a status of its own (facts 9, 2
    // and 3).
    if (info_.http_status < 0 || info_.canceled || info_.response_flags.find("DC") != std::string_view::npos) return;
    const AnyValue* grpc = span_.attributes.find("grpc.status_code");
    if (grpc == nullptr) return judge_status_by(expected_.profile->status, "", info_.http_status);
    // Envoy sets it after the HTTP code and by another table; a value that is no number leaves the status unset.
    int code = -1;
    std::from_chars(grpc->text.data(), grpc->text.data() + grpc->text.size(), code);
    if (code >= 0 && info_.http_status < 400) judge_status_by(expected_.profile->grpc_status, "grpc ", code);
  }

  void judge_status_by(const std::vector<StatusRule>& rules, const char* what, int code) {
    for (const StatusRule& rule : rules) {
      if (rule.kind != span_.kind || code < rule.from || code > rule.to) continue;
      if (span_.status != rule.status) {
        add("HOP0505", fmt::format("{} {}{}", to_string(span_.kind), what, code), to_string(rule.status),
            to_string(span_.status));
      } else if (info_.error_tag != rule.error_tag) {
        add("HOP0505", fmt::format("{} {}{} error", to_string(span_.kind), what, code),
            rule.error_tag ? "error=true" : "no error tag", info_.error_tag ? "error=true" : "no error tag");
      }
      return;
    }
  }

  HitList& list_;
  const int e_;
  const ExpectedSpan& expected_;
  const Span& span_;
  const SpanInfo& info_;
  PatternCache& patterns_;
};

}  // namespace

void add_identity_hits(HitList& list, PatternCache& patterns) {
  for (size_t e = 0; e < list.view.tree.spans.size(); ++e) {
    if (list.view.match.span_of[e] >= 0) SpanJudge(list, static_cast<int>(e), patterns).run();
  }
}

}  // namespace hopcheck::check

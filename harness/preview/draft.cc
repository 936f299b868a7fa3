#include "preview/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "preview/facts.h"
#include "preview/observed.h"

namespace hopcheck::preview {
namespace {

constexpr size_t kMostKeys = 500;  // of one list; a capture is outside data

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

// Attribute keys come from outside: what a profile cannot hold is not drafted.
bool plain_key(std::string_view key) {
  return !key.empty() && key.size() <= 100 && printable(key) == key && key.find_first_of("<>{}@$") == std::string::npos;
}

class Drafter {
 public:
  Drafter(const std::vector<Sighting>& seen, const MeshProfile& base, const DraftOptions& options)
      : seen_(seen), base_(base), source_("captures " + options.capture) {}

  Draft take(const std::string& envoy_minor, const std::string& istio_minor, const std::string& capture) {
    for (const Sighting& one : seen_) ++draft_.spans[one.role];
    draft_.yaml = fmt::format(
        "# Drafted from {} over {}.\n# Review each line, give it a name of its own, and move it to fixtures/profiles.\n"
        "apiVersion: hopcheck.dev/v1alpha1\nkind: MeshProfile\nmetadata: {{name: draft}}\nspec:\n  extends: {}\n"
        "  istioMinor: {}\n  envoyMinor: {}\n  proof: capture\n",
        capture, base_.name, base_.name, quoted(istio_minor), quoted(envoy_minor));
    scope();
    resource(envoy_minor);
    spawning();
    roles();
    status();
    draft_.not_shown.push_back("sampling: which requests were sent is not in a capture");
    draft_.not_shown.push_back("naming: which labels the pods have is not in a capture");
    return std::move(draft_);
  }

 private:
  void differ(const std::string& fact, const std::string& base, const std::string& seen, size_t count, size_t of,
              bool drafted) {
    draft_.differences.push_back({fact, base, seen, count, of, drafted});
  }

  void scope() {
    std::map<std::string, size_t> names;  // "" = no scope message
    for (const Sighting& one : seen_)
      ++names[one.span->scope->present ? std::string(one.span->scope->name) : std::string()];
    const std::string want = base_.scope_present ? base_.scope_name : "";
    for (const auto& [name, count] : names) {
      if (name == want) continue;
      const bool all = count == seen_.size();
      differ("scope", scope_text(base_), name.empty() ? "none" : printable(name), count, seen_.size(), all);
      if (all)
        draft_.yaml += fmt::format("  scope: {{present: {}, name: {}, source: {}}}\n", !name.empty(),
                                   quoted(printable(name)), quoted(source_));
    }
  }

  struct Key {
    size_t present = 0;             // spans that carry it
    size_t due = 0, missing = 0;    // spans that had to; of them without it
    size_t asked = 0, misfits = 0;  // spans whose value was compared; of them with another value
    std::set<std::string> values;   // the first few misfits
    bool trailing = true, same = true;  // every compared value is the cluster with ";", is the cluster
  };

  static std::map<std::string, Key> keys_of(const std::vector<const Sighting*>& spans,
                                            const std::vector<AttributeRule>& rules, bool resource) {
    std::map<std::string, Key> keys;
    for (const AttributeRule& rule : rules) keys[rule.key];
    for (const Sighting* one : spans) {
      const AttributeList& list = resource ? one->span->resource->attributes : one->span->attributes;
      for (const AttributeRule& rule : rules) {
        Key& key = keys[rule.key];
        const bool due = rule.when == AttributeRule::When::kAlways ||
                         (rule.when == AttributeRule::When::kRouted && !one->cluster.empty() && !one->failed);
        const AnyValue* value = list.find(rule.key);
        key.due += due ? 1 : 0;
        key.missing += due && value == nullptr ? 1 : 0;
        if (value == nullptr || one->failed || rule.value.empty()) continue;
        ++key.asked;
        key.trailing = key.trailing && value->text == std::string(one->cluster) + ";";
        key.same = key.same && value->text == one->cluster;
        if (fits(rule.value, value->text, *one)) continue;
        ++key.misfits;
        if (key.values.size() < 4) key.values.insert(std::string(value->text));
      }
      for (const Attribute& attribute : list) {
        if (keys.size() < kMostKeys || keys.count(std::string(attribute.key)) > 0)
          ++keys[std::string(attribute.key)].present;
      }
    }
    return keys;
  }

  // Lines for one attribute list; `where` prefixes the facts.
  std::string attributes(const std::string& where, const std::vector<const Sighting*>& spans,
                         const std::vector<AttributeRule>& rules, bool resource) {
    std::string lines;
    const auto line = [&](const std::string& key, const std::string& rest) {
      lines += fmt::format("    - {{key: {}, {}source: {}}}\n", quoted(key), rest, quoted(source_));
    };
    for (const auto& [name, key] : keys_of(spans, rules, resource)) {
      const std::string fact = where + " " + printable(name);
      const auto rule =
          std::find_if(rules.begin(), rules.end(), [&](const AttributeRule& r) { return r.key == name; });
      if (name == "service.name") continue;
      if (rule == rules.end() || rule->when == AttributeRule::When::kNever) {
        if (key.present == 0) continue;
        const bool all = key.present == spans.size();
        differ(fact, "absent", all ? "always there" : "there", key.present, spans.size(), plain_key(name));
        if (plain_key(name)) line(name, all ? "when: always, " : "when: optional, ");
        continue;
      }
      if (key.missing > 0) {
        const bool gone = key.missing == key.due && key.present == 0;
        differ(fact, "there", "absent", key.missing, key.due, true);
        line(name, gone ? "value: '', when: never, " : "when: optional, ");
      } else if (key.misfits > 0) {
        const std::string value = key.same ? "{cluster}" : key.trailing ? "{cluster};" : *key.values.begin();
        const bool one_value = key.misfits == key.asked && (key.same || key.trailing || key.values.size() == 1) &&
                               plain_key(value.substr(0, value.find('{')) + "x") && printable(value) == value;
        differ(fact, rule->value, printable(value), key.misfits, key.asked, one_value);
        if (one_value) line(name, fmt::format("value: {}, ", quoted(value)));
      } else if (key.present == 0 && rule->when != AttributeRule::When::kError) {
        draft_.not_shown.push_back(fact);
      }
    }
    return lines;
  }

  void resource(const std::string& envoy_minor) {
    std::vector<AttributeRule> rules = base_.resource;
    std::string own;
    for (AttributeRule& rule : rules) {
      // Another Envoy is told once, by envoyMinor; its pattern follows.
      if (rule.key != "telemetry.sdk.version" || envoy_minor == base_.envoy_minor || rule.value.empty()) continue;
      differ("envoyMinor", base_.envoy_minor, envoy_minor, seen_.size(), seen_.size(), true);
      rule.value = fmt::format("/[0-9a-f]+/1[.]{}[.].*/", envoy_minor.substr(envoy_minor.find('.') + 1));
      own = fmt::format("    - {{key: telemetry.sdk.version, value: {}, source: {}}}\n", quoted(rule.value),
                        quoted(source_));
    }
    std::vector<const Sighting*> all;
    for (const Sighting& one : seen_) all.push_back(&one);
    own += attributes("resource", all, rules, true);
    if (!own.empty()) draft_.yaml += "  resource:\n" + own;
  }

  std::vector<const Sighting*> of(ProxyRole role) const {
    std::vector<const Sighting*> out;
    for (const Sighting& one : seen_) {
      if (one.role == role) out.push_back(&one);
    }
    return out;
  }

  bool spawned() const { return draft_.spans.count(ProxyRole::kGatewayClient) > 0; }

  void spawning() {
    if (draft_.spans.count(ProxyRole::kGatewayServer) == 0) {
      draft_.not_shown.push_back("gateway: no span of one");
      return;
    }
    if (spawned() == base_.spawns(std::nullopt)) return;
    // What a flag did cannot be told from a default, and the rules of the other form may be missing: by hand.
    differ("gateway spawns a span per attempt", spawn_text(base_), spawned() ? "it does" : "it does not",
           draft_.spans[ProxyRole::kGatewayServer], draft_.spans[ProxyRole::kGatewayServer], false);
  }

  void roles() {
    std::string spans, single;
    for (const ProxyRole role : kRoles) {
      const std::vector<const Sighting*> list = of(role);
      const SpanRule* rule = base_.rule(role, spawned());
      if (list.empty() || rule == nullptr) {
        if (rule != nullptr) draft_.not_shown.push_back(std::string(to_string(role)) + ": no span of it");
        continue;
      }
      const bool gateway = role == ProxyRole::kGatewayServer || role == ProxyRole::kGatewayClient;
      (gateway && !spawned() ? single : spans) += role_lines(role, *rule, list);
    }
    if (!spans.empty()) draft_.yaml += "  spans:\n" + spans;
    if (!single.empty()) draft_.yaml += "  gatewaySingle:\n" + single;
  }

  std::string role_lines(ProxyRole role, const SpanRule& rule, const std::vector<const Sighting*>& list) {
    const std::string name = to_string(role);
    std::string own = kind_line(name, rule, list) + name_line(name, rule, list);
    std::string lines = attributes(name, list, rule.attributes, false);
    if (own.empty() && lines.empty()) return "";
    std::string indented;
    for (const std::string_view line : split(lines, '\n')) {
      if (!line.empty()) indented += "    " + std::string(line) + "\n";
    }
    return fmt::format("    - role: {}\n{}      source: {}\n{}", name, own, quoted(source_),
                       indented.empty() ? "" : "      attributes:\n" + indented);
  }

  std::string kind_line(const std::string& role, const SpanRule& rule, const std::vector<const Sighting*>& list) {
    std::map<SpanKind, size_t> kinds;
    for (const Sighting* one : list) ++kinds[one->span->kind];
    std::string line;
    for (const auto& [kind, count] : kinds) {
      if (kind == rule.kind) continue;
      const bool all = count == list.size();
      differ(role + " kind", hopcheck::to_string(rule.kind), hopcheck::to_string(kind), count, list.size(), all);
      if (all) line = fmt::format("      kind: {}\n", hopcheck::to_string(kind));
    }
    return line;
  }

  std::string name_line(const std::string& role, const SpanRule& rule, const std::vector<const Sighting*>& list) {
    static const std::vector<std::string> kForms{"{host}:{port}{route}", "egress {authority}", "ingress",
                                                 "router {cluster}; egress", "router {cluster} egress"};
    size_t misfits = 0, asked = 0;
    std::string example;
    std::vector<std::string> forms = kForms;
    for (const Sighting* one : list) {
      if (one->failed) continue;  // an unmatched route is named otherwise
      ++asked;
      std::erase_if(forms, [&](const std::string& form) { return !fits(form, one->span->name, *one); });
      if (fits(rule.name, one->span->name, *one)) continue;
      if (misfits++ == 0) example = printable(one->span->name);
    }
    if (misfits == 0) return "";
    const bool all = misfits == asked && !forms.empty();
    differ(role + " name", rule.name, all ? forms.front() : example, misfits, asked, all);
    return all ? fmt::format("      name: {}\n", quoted(forms.front())) : "";
  }

  void status() {
    std::string lines;
    for (const StatusRule& rule : base_.status) {
      size_t shown = 0, other = 0;
      std::set<std::pair<StatusCode, bool>> seen;
      for (const Sighting& one : seen_) {
        if (one.odd || one.span->kind != rule.kind || one.status < rule.from || one.status > rule.to) continue;
        const bool tag = one.span->attributes.text("error") == "true";
        ++shown;
        if (one.span->status == rule.status && tag == rule.error_tag) continue;
        ++other;
        seen.emplace(one.span->status, tag);
      }
      const std::string fact = fmt::format("status {} {}-{}", hopcheck::to_string(rule.kind), rule.from, rule.to);
      if (shown == 0) draft_.not_shown.push_back(fact);
      if (other == 0) continue;
      StatusRule now = rule;
      now.status = seen.begin()->first;
      now.error_tag = seen.begin()->second;
      const bool all = other == shown && seen.size() == 1 && now.status != StatusCode::kOk;
      differ(fact, status_text(rule), status_text(now), other, shown, all);
      if (all)
        lines += fmt::format("    - {{kind: {}, from: {}, status: {}, errorTag: {}, source: {}}}\n",
                             hopcheck::to_string(now.kind), now.from, hopcheck::to_string(now.status), now.error_tag,
                             quoted(source_));
    }
    if (!lines.empty()) draft_.yaml += "  status:\n" + lines;
  }

  const std::vector<Sighting>& seen_;
  const MeshProfile& base_;
  const std::string source_;
  Draft draft_;
};

}  // namespace

Result<Draft> draft_profile(const std::vector<Span>& spans, const MeshProfile& base, const DraftOptions& options) {
  const std::vector<Sighting> seen = sightings(spans);
  if (seen.empty())
    return fail(ErrorKind::kUsage, "no mesh span in the capture", "none has scope envoy or component=proxy",
                "capture traffic that crosses the mesh");
  const std::set<std::string> minors = envoy_minors(seen);
  if (minors.size() > 1) {
    std::string names;
    for (const std::string& minor : minors) names += (names.empty() ? "" : ", ") + minor;
    return fail(ErrorKind::kUsage, "the capture holds spans of several Envoys", names,
                "draft from one version at a time");
  }
  // Spans that do not name their Envoy leave it to the base.
  const std::string envoy = minors.empty() ? base.envoy_minor : *minors.begin();
  return Drafter(seen, base, options)
      .take(envoy, options.istio_minor.empty() ? base.istio_minor : options.istio_minor, options.capture);
}

std::string review_text(const Draft& draft, const MeshProfile& base, const DraftOptions& options) {
  std::string out = fmt::format("{} against {}:", options.capture, base.name);
  for (const auto& [role, count] : draft.spans) out += fmt::format(" {} {}", to_string(role), count);
  out += draft.differences.empty() ? "\nno difference\n" : "\ndiffers\n";
  for (const DraftDifference& item : draft.differences) {
    out += fmt::format("  {}: {} -> {} ({} of {}){}\n", item.fact, item.base, item.seen, item.count, item.of,
                       item.drafted ? "" : ", not drafted");
  }
  out += "not shown by this capture\n";
  for (const std::string& fact : draft.not_shown) out += "  " + fact + "\n";
  return out;
}

}  // namespace hopcheck::preview

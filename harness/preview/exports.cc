#include "preview/exports.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "preview/facts.h"

namespace hopcheck::preview {
namespace {

using Profiles = std::vector<const MeshProfile*>;

// For a table cell: code, with what would end the cell escaped.
std::string code(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return "`" + out + "`";
}

std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '*' || c == '_') out += '\\';
    out += c;
  }
  return out;
}

// "1.22–1.24, 1.30" of profiles in version order; runs are those adjacent among all.
std::string versions_text(const Profiles& all, const std::set<const MeshProfile*>& chosen) {
  std::string out;
  for (size_t i = 0; i < all.size(); ++i) {
    if (chosen.count(all[i]) == 0) continue;
    size_t end = i;
    while (end + 1 < all.size() && chosen.count(all[end + 1]) > 0) ++end;
    out += (out.empty() ? "" : ", ") + all[i]->istio_minor;
    if (end > i) out += "–" + all[end]->istio_minor;
    i = end;
  }
  return out;
}

// One fact as a version states it: its cells, and where they come from.
struct Fact {
  std::vector<std::string> cells;
  std::string source;
};

// Versions that say the same share a line; proofs and sources are said per version where they differ.
class Grouped {
 public:
  explicit Grouped(const Profiles& all) : all_(all) {}
  void add(const MeshProfile* profile, Fact fact) {
    auto found = std::find_if(lines_.begin(), lines_.end(), [&](const Line& line) { return line.cells == fact.cells; });
    if (found == lines_.end()) found = lines_.insert(lines_.end(), {fact.cells, {}, {}});
    found->versions.insert(profile);
    found->sources[{proof_of(*profile, fact.source), fact.source}].insert(profile);
  }
  bool empty() const { return lines_.empty(); }
  std::string text() const {
    std::string out;
    for (const Line& line : lines_) {
      out += "| " + versions_text(all_, line.versions) + " |";
      for (const std::string& cell : line.cells) out += " " + cell + " |";
      std::string proofs, sources;
      for (const auto& [key, versions] : line.sources) {
        const std::string of = line.sources.size() > 1 ? versions_text(all_, versions) + ": " : "";
        proofs += (proofs.empty() ? "" : "; ") + of + key.first;
        sources += (sources.empty() ? "" : "; ") + of + plain(key.second);
      }
      out += " " + proofs + " | " + sources + " |\n";
    }
    return out;
  }

 private:
  struct Line {
    std::vector<std::string> cells;
    std::set<const MeshProfile*> versions;
    std::map<std::pair<std::string, std::string>, std::set<const MeshProfile*>> sources;
  };
  const Profiles& all_;
  std::vector<Line> lines_;
};

std::string table_head(const std::vector<std::string>& titles) {
  std::string out = "| Istio |", rule = "|---|";
  for (const std::string& title : titles) {
    out += " " + title + " |";
    rule += "---|";
  }
  return out + " proof | source |\n" + rule + "---|---|\n";
}

std::string section(const Profiles& all, const std::vector<std::string>& titles,
                    const std::function<void(const MeshProfile&, const std::function<void(Fact)>&)>& facts) {
  Grouped lines(all);
  for (const MeshProfile* profile : all) facts(*profile, [&](Fact fact) { lines.add(profile, std::move(fact)); });
  return lines.empty() ? "" : table_head(titles) + lines.text() + "\n";
}

std::string value_text(const AttributeRule& rule) {
  if (rule.when == AttributeRule::When::kNever) return "";
  return rule.value.empty() ? "any" : code(rule.value);
}

std::string attribute_table(const Profiles& all,
                            const std::function<const std::vector<AttributeRule>*(const MeshProfile&)>& list_of) {
  return section(all, {"attribute", "value", "when"}, [&](const MeshProfile& profile, const auto& add) {
    const std::vector<AttributeRule>* list = list_of(profile);
    if (list == nullptr) return;
    for (const AttributeRule& rule : *list) {
      // Which Envoy it names differs in every version and is said in the first table.
      const bool version = rule.key == "telemetry.sdk.version" && rule.when != AttributeRule::When::kNever;
      add({{code(rule.key), version ? "the long build string" : value_text(rule), to_string(rule.when)}, rule.source});
    }
  });
}

std::string name_text(const SpanRule& rule) {
  const bool other = !rule.unrouted.empty() && rule.unrouted != rule.name;
  return code(rule.name) + (other ? ", where no route matches " + code(rule.unrouted) : "");
}

std::string role_title(ProxyRole role) {
  switch (role) {
    case ProxyRole::kGatewayServer: return "Ingress gateway, the request (`gatewayServer`)";
    case ProxyRole::kGatewayClient: return "Ingress gateway, one attempt upstream (`gatewayClient`)";
    case ProxyRole::kOutbound: return "Sidecar, outbound (`outbound`)";
    case ProxyRole::kInbound: return "Sidecar, inbound (`inbound`)";
    case ProxyRole::kNone: break;
  }
  return "";
}

std::string versions_table(const Profiles& all) {
  std::string out =
      "| Istio | Envoy | proof | mesh spans per request behind a gateway, N services in a chain |\n|---|---|---|---|\n";
  for (const MeshProfile* profile : all) {
    out += fmt::format("| {} | {} | {} | {} + 2N - 1 |\n", profile->istio_minor, profile->envoy_minor, profile->proof,
                       profile->spawns(std::nullopt) ? 2 : 1);
  }
  return out + "\n";
}

std::string version_facts(const Profiles& all) {
  std::string out = "### Scope\n\n" + section(all, {"scope"}, [](const MeshProfile& p, const auto& add) {
    add({{p.scope_present ? code(p.scope_name) : "no scope message"}, p.scope_source});
  });
  out += "### Gateway spawns a span per attempt\n\n" +
         section(all, {"left alone"}, [](const MeshProfile& p, const auto& add) {
           add({{spawn_text(p)}, p.gateway_spawn_source});
         });
  out += "### Which requests with a traceparent are exported\n\n" +
         section(all, {"decided by", "percentage when unset"}, [](const MeshProfile& p, const auto& add) {
           add({{sampling_text(p), fmt::format("{:g} %", p.default_sampling_percent)}, p.sampling_source});
         });
  return out + "### service.name of a waypoint's spans\n\n" +
         section(all, {"is"}, [](const MeshProfile& p, const auto& add) {
           if (!p.waypoint_source.empty()) add({{waypoint_text(p)}, p.waypoint_source});
         });
}

std::string naming_tables(const Profiles& all) {
  std::string out;
  for (const NamingMode mode : kModes) {
    out += fmt::format("### `{}`\n\n", hopcheck::to_string(mode)) +
           section(all, {"first of"}, [&](const MeshProfile& p, const auto& add) {
             const auto found = p.naming.find(mode);
             if (found != p.naming.end()) add({{plain(steps_text(found->second))}, found->second.source});
           });
  }
  return out;
}

enum class Codes { kHttp, kGrpc };

std::string status_table(const Profiles& all, Codes which) {
  const bool http = which == Codes::kHttp;
  const char* title = http ? "HTTP code" : "grpc-status";
  return section(all, {"kind", title, "status and tag"}, [http](const MeshProfile& p, const auto& add) {
    for (const StatusRule& row : http ? p.status : p.grpc_status) {
      const std::string codes = row.from == row.to ? (http && row.from == 0 ? "none sent" : std::to_string(row.from))
                                                   : fmt::format("{}–{}", row.from, row.to);
      add({{hopcheck::to_string(row.kind), codes, status_text(row)}, row.source});
    }
  });
}

std::string role_sections(const Profiles& all) {
  std::string out;
  for (const ProxyRole role : kRoles) {
    out += "## " + role_title(role) + "\n\n" +
           section(all, {"kind", "name", "parent"}, [&](const MeshProfile& p, const auto& add) {
             const SpanRule* rule = rule_unasked(p, role);
             if (rule == nullptr) add({{"no span", "", ""}, p.gateway_spawn_source});
             else add({{hopcheck::to_string(rule->kind), name_text(*rule), rule->parent}, rule->source});
           }) +
           attribute_table(all, [&](const MeshProfile& p) {
             const SpanRule* rule = rule_unasked(p, role);
             return rule == nullptr ? nullptr : &rule->attributes;
           });
  }
  return out;
}

}  // namespace

std::string exports_markdown(const std::vector<MeshProfile>& profiles) {
  const Profiles all = by_version(profiles);
  std::string out =
      "# What Istio exports\n\n"
      "Generated from [the profiles](../fixtures/profiles) by `hopcheck explain --profiles --format markdown`: do not\n"
      "edit. Version × proxy side × what leaves it, with the flag for gateway spans left alone. Versions that agree\n"
      "share a line.\n\n"
      "Proof: `live` = recorded from a real mesh of this version and judged; `envoy` = this version's Envoy was run\n"
      "under the configuration Istio sends; `measured` = measured on another version; `source` = read. In values, "
      "`/…/`\n"
      "is a regular expression and `{…}` is filled in; when: `routed` = once an upstream cluster was chosen, `error` "
      "=\n"
      "on failures, `grpc` = on gRPC requests. `{route}` is `/*`, or path and `*` where a VirtualService matches it.\n"
      "\n"
      "## Versions\n\n" +
      versions_table(all) + version_facts(all) + "## Resource\n\n" +
      attribute_table(all, [](const MeshProfile& p) { return &p.resource; }) + role_sections(all) + "## Status\n\n" +
      status_table(all, Codes::kHttp) + "The grpc-status of a gRPC request is applied over it:\n\n" +
      status_table(all, Codes::kGrpc) + "## service.name by naming mode\n\n" + naming_tables(all) +
      "## What a version changed besides\n\n| Istio | change | source |\n|---|---|---|\n";
  for (const MeshProfile* profile : all) {
    for (const ProfileNote& note : profile->changes)
      out += fmt::format("| {} | {} | {} |\n", profile->istio_minor, plain(note.text), plain(note.source));
  }
  for (const MeshProfile* profile : all) {
    if (!profile->before.text.empty())
      out += fmt::format("\nBefore {} there is no profile: {} ({}).\n", profile->istio_minor,
                         plain(profile->before.text), plain(profile->before.source));
  }
  return out;
}

}  // namespace hopcheck::preview

#include "preview/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "preview/facts.h"

namespace hopcheck::preview {
namespace {

std::string place_of(const Topology& topology, int service) {
  if (service == kGatewayService) return "gateway";
  if (service == kClientService) return "loadgen";
  return service >= 0 && service < static_cast<int>(topology.services.size()) ? topology.services[service].name : "?";
}

std::string label_of(const Topology& topology, const ExpectedSpan& span) {
  return std::string(to_string(span.role)) + " " + place_of(topology, span.service);
}

// Differences by (kind, what, before, after), so that what changes on many spans is said once.
class Collected {
 public:
  void add(const char* kind, const std::string& what, const std::string& before, const std::string& after,
           const std::string& where) {
    if (before == after) return;
    const auto key = std::make_tuple(std::string(kind), what, before, after);
    auto found = index_.find(key);
    if (found == index_.end()) {
      found = index_.emplace(key, list_.size()).first;
      list_.push_back({kind, what, before, after, {}});
    }
    std::vector<std::string>& places = list_[found->second].where;
    if (!where.empty() && std::find(places.begin(), places.end(), where) == places.end()) places.push_back(where);
  }
  std::vector<Difference> take() { return std::move(list_); }

 private:
  std::map<std::tuple<std::string, std::string, std::string, std::string>, size_t> index_;
  std::vector<Difference> list_;
};

std::string attribute_text(const ExpectedAttribute* attribute) {
  if (attribute == nullptr || attribute->when == AttributeRule::When::kNever) return "absent";
  const std::string value = attribute->value.empty() ? "any value"
                            : attribute->regex       ? "/" + attribute->value + "/"
                                                     : attribute->value;
  return attribute->when == AttributeRule::When::kAlways ? value
                                                         : fmt::format("{} ({})", value, to_string(attribute->when));
}

void compare_attributes(const char* kind, const std::vector<ExpectedAttribute>& before,
                        const std::vector<ExpectedAttribute>& after, const std::string& where, Collected& out) {
  std::map<std::string, std::pair<const ExpectedAttribute*, const ExpectedAttribute*>> keys;
  for (const ExpectedAttribute& item : before) keys[item.key].first = &item;
  for (const ExpectedAttribute& item : after) keys[item.key].second = &item;
  for (const auto& [key, pair] : keys)
    out.add(kind, key, attribute_text(pair.first), attribute_text(pair.second), where);
}

// A span is the same in both trees when its role, service, peer and its number among such are.
std::map<std::string, size_t> identities(const Topology& topology, const ExpectedTree& tree) {
  std::map<std::string, size_t> out;
  std::map<std::string, int> seen;
  for (size_t i = 0; i < tree.spans.size(); ++i) {
    const ExpectedSpan& span = tree.spans[i];
    std::string key = label_of(topology, span) + ">" + place_of(topology, span.peer) + ">" +
                      (span.role == ProxyRole::kNone ? span.name : "");
    key += fmt::format("#{}", seen[key]++);
    out[key] = i;
  }
  return out;
}

std::string parent_text(const Topology& topology, const ExpectedTree& tree, const ExpectedSpan& span) {
  return span.parent < 0 ? "client" : label_of(topology, tree.spans[static_cast<size_t>(span.parent)]);
}

void compare_trees(const Topology& topology, const ExpectedTree& before, const ExpectedTree& after, Collected& out) {
  const auto old_spans = identities(topology, before), new_spans = identities(topology, after);
  const auto describe = [](const ExpectedSpan& span) {
    return fmt::format("{} `{}`", hopcheck::to_string(span.kind), span.name);
  };
  for (const auto& [key, index] : old_spans) {
    const ExpectedSpan& span = before.spans[index];
    if (new_spans.count(key) == 0) out.add("span", label_of(topology, span), describe(span), "none", "");
  }
  for (const auto& [key, index] : new_spans) {
    const ExpectedSpan& now = after.spans[index];
    const auto found = old_spans.find(key);
    const std::string where = label_of(topology, now);
    if (found == old_spans.end()) {
      out.add("span", where, "none", describe(now), "");
      continue;
    }
    const ExpectedSpan& was = before.spans[found->second];
    out.add("kind", "", hopcheck::to_string(was.kind), hopcheck::to_string(now.kind), where);
    out.add("name", "", was.name, now.name, where);
    out.add("parent", "", parent_text(topology, before, was), parent_text(topology, after, now), where);
    out.add("service name", "", was.service_name, now.service_name, where);
    compare_attributes("attribute", was.attributes, now.attributes, where, out);
  }
}

void compare_status(const char* kind, const std::vector<StatusRule>& before, const std::vector<StatusRule>& after,
                    Collected& out) {
  for (const StatusRule& was : before) {
    for (const StatusRule& now : after) {
      if (was.kind != now.kind || was.from != now.from || was.to != now.to) continue;
      out.add(kind, fmt::format("{} {}-{}", hopcheck::to_string(was.kind), was.from, was.to), status_text(was),
              status_text(now), "");
    }
  }
}

// What belongs to a version, whatever the topology.
void compare_versions(const MeshProfile& before, const MeshProfile& after, Collected& out) {
  out.add("scope", "", scope_text(before), scope_text(after), "");
  out.add("sampling", "a request with a traceparent is exported by", sampling_text(before), sampling_text(after), "");
  out.add("sampling", "percentage when unset", fmt::format("{:g} %", before.default_sampling_percent),
          fmt::format("{:g} %", after.default_sampling_percent), "");
  out.add("gateway", "spawns a span per attempt", spawn_text(before), spawn_text(after), "");
  out.add("waypoint", "service.name", waypoint_text(before), waypoint_text(after), "");
  const auto plain = [](const MeshProfile& profile) {
    std::vector<ExpectedAttribute> list;
    for (const AttributeRule& rule : profile.resource) list.push_back({rule.key, rule.value, false, rule.when});
    return list;
  };
  compare_attributes("resource", plain(before), plain(after), "", out);
  compare_status("status", before.status, after.status, out);
  compare_status("grpc-status", before.grpc_status, after.grpc_status, out);
  for (const NamingMode mode : kModes) {
    const auto text = [&](const MeshProfile& profile) {
      const auto found = profile.naming.find(mode);
      return found == profile.naming.end() ? std::string("not there") : steps_text(found->second);
    };
    out.add("naming", hopcheck::to_string(mode), text(before), text(after), "");
  }
}

// Services whose proxies take part, in call order; the gateway where the order says.
std::vector<int> upgrade_order(const ExpectedTree& tree, Order order) {
  std::vector<int> out;
  bool gateway = false;
  for (const ExpectedSpan& span : tree.spans) {
    if (span.role == ProxyRole::kNone) continue;
    if (span.service == kGatewayService) gateway = true;
    else if (std::find(out.begin(), out.end(), span.service) == out.end()) out.push_back(span.service);
  }
  if (gateway) out.insert(order == Order::kGatewayFirst ? out.begin() : out.end(), kGatewayService);
  return out;
}

// What a trace can look like besides whole, half way: where proxies that do not honour the parent's bit sit.
std::vector<std::string> step_notes(const Upgrade& upgrade, const Topology& topology, const std::vector<int>& upgraded,
                                    size_t all) {
  std::vector<std::string> notes;
  if (upgraded.empty() || upgraded.size() == all) return notes;
  std::string names;
  for (const int service : upgraded) names += (names.empty() ? "" : ", ") + place_of(topology, service);
  const MeshProfile& old_one = *upgrade.before;
  const MeshProfile& new_one = *upgrade.after;
  if (old_one.parent_decides_sampling && !new_one.parent_decides_sampling) {
    notes.push_back(fmt::format(
        "below 100 % sampling, a request with a sampled traceparent can be cut at: {} (its spans and all behind it are "
        "missing)",
        names));
  }
  if (old_one.scope_present != new_one.scope_present) {
    notes.push_back(fmt::format("spans with scope {} come from: {}; the others' scope is {}", scope_text(new_one),
                                names, scope_text(old_one)));
  }
  return notes;
}

Result<std::vector<ExpectedTree>> trees_of(const Question& question, const MeshProfile& profile) {
  plan::ProfileBinding binding;
  binding.fallback = &profile;
  auto expansion = plan::expand(scenario_of(question), binding);
  if (!expansion) return tl::unexpected(expansion.error());
  return std::move(expansion->trees);
}

Result<std::vector<Step>> steps_of(const Upgrade& upgrade, const Question& question, const std::vector<int>& order) {
  std::vector<Step> out;
  plan::ProfileBinding binding;
  binding.fallback = upgrade.before;
  std::vector<int> upgraded;
  for (size_t i = 0; i <= order.size(); ++i) {
    Step step;
    if (i > 0) {
      binding.by_service[order[i - 1]] = upgrade.after;
      upgraded.push_back(order[i - 1]);
      step.upgraded = place_of(question.topology, order[i - 1]);
    }
    auto outlines = outline(question, binding);
    if (!outlines) return tl::unexpected(outlines.error());
    step.outlines = std::move(*outlines);
    step.notes = step_notes(upgrade, question.topology, upgraded, order.size());
    out.push_back(std::move(step));
  }
  return out;
}

}  // namespace

Result<Comparison> compare(const Upgrade& upgrade, const Question& question, Order order) {
  Comparison out;
  out.before = upgrade.before->name;
  out.after = upgrade.after->name;
  const auto before = trees_of(question, *upgrade.before);
  if (!before) return tl::unexpected(before.error());
  const auto after = trees_of(question, *upgrade.after);
  if (!after) return tl::unexpected(after.error());
  Collected differences;
  for (size_t i = 0; i < before->size() && i < after->size(); ++i)
    compare_trees(question.topology, (*before)[i], (*after)[i], differences);
  compare_versions(*upgrade.before, *upgrade.after, differences);
  out.differences = differences.take();
  const int from = minor_number(upgrade.before->istio_minor), to = minor_number(upgrade.after->istio_minor);
  for (const MeshProfile* profile : by_version(*upgrade.all)) {
    const int minor = minor_number(profile->istio_minor);
    if (minor <= from || minor > to) continue;
    for (const ProfileNote& note : profile->changes)
      out.notes.push_back({profile->istio_minor + ": " + note.text, note.source});
  }
  std::vector<int> services;
  for (const ExpectedTree& tree : *after) {
    for (const int service : upgrade_order(tree, order)) {
      if (std::find(services.begin(), services.end(), service) == services.end()) services.push_back(service);
    }
  }
  auto steps = steps_of(upgrade, question, services);
  if (!steps) return tl::unexpected(steps.error());
  out.steps = std::move(*steps);
  out.first = out.steps.front().outlines;
  out.last = out.steps.back().outlines;
  return out;
}

}  // namespace hopcheck::preview

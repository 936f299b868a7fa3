#include "sim/edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/synthesize.h"

namespace hopcheck::sim {
namespace {

// A list with `key` set to `value`, added where it is not there; removed when value is null.
AttributeList changed(const AttributeList& list, std::string_view key, const AnyValue* value, Arena& arena) {
  Attribute* out = arena.array<Attribute>(list.size + 1);
  uint32_t size = 0;
  bool found = false;
  for (const Attribute& attribute : list) {
    if (attribute.key != key) {
      out[size++] = attribute;
      continue;
    }
    found = true;
    if (value != nullptr) out[size++] = {attribute.key, *value};
  }
  if (!found && value != nullptr) out[size++] = {arena.copy(key), *value};
  return {out, size};
}

AnyValue text_value(std::string_view text, Arena& arena) {
  AnyValue value;
  value.type = AnyValue::Type::kString;
  value.text = arena.copy(text);
  return value;
}

}  // namespace

void answer(Span& span, int code, const MeshProfile& profile, Arena& arena) {
  const AnyValue text = text_value(std::to_string(code), arena);
  span.attributes = changed(span.attributes, "http.status_code", &text, arena);
  for (const StatusRule& rule : profile.status) {
    if (rule.kind != span.kind || code < rule.from || code > rule.to) continue;
    span.status = rule.status;
    const AnyValue yes = text_value("true", arena);
    span.attributes = changed(span.attributes, "error", rule.error_tag ? &yes : nullptr, arena);
    return;
  }
}

std::vector<size_t> Hand::all(const Wanted& wanted) const {
  std::vector<size_t> out;
  for (size_t i = 0; i < mesh_.spans.size(); ++i) {
    if (mesh_.origin[i].kind == Origin::Kind::kNode && wanted(i)) out.push_back(i);
  }
  return out;
}

std::optional<size_t> Hand::draw(const Wanted& wanted) {
  const std::vector<size_t> found = all(wanted);
  if (found.empty()) return std::nullopt;
  return found[rng_.below(found.size())];
}

std::optional<size_t> Hand::parent(size_t i) const {
  const int wanted = node(i).parent;
  if (wanted < 0) return std::nullopt;
  for (size_t k = 0; k < mesh_.spans.size(); ++k) {
    const Origin& origin = mesh_.origin[k];
    if (origin.kind == Origin::Kind::kNode && origin.request == mesh_.origin[i].request && origin.node == wanted)
      return k;
  }
  return std::nullopt;
}

std::vector<size_t> Hand::children(size_t i) const {
  const Origin own = mesh_.origin[i];
  return all([&](size_t k) { return mesh_.origin[k].request == own.request && node(k).parent == own.node; });
}

bool Hand::below(size_t i, size_t above) const {
  if (mesh_.origin[i].request != mesh_.origin[above].request) return false;
  const ExpectedTree& tree = mesh_.tree(mesh_.origin[i].request);
  for (int n = mesh_.origin[i].node; n >= 0; n = tree.spans[static_cast<size_t>(n)].parent) {
    if (n == mesh_.origin[above].node) return true;
  }
  return false;
}

std::vector<size_t> Hand::subtree(size_t i) const {
  std::vector<size_t> out = all([&](size_t k) { return k != i && below(k, i); });
  out.insert(out.begin(), i);
  return out;
}

std::vector<size_t> Hand::request(uint32_t request) const {
  return all([&](size_t k) { return mesh_.origin[k].request == request; });
}

std::vector<size_t> Hand::calls_of(int service, uint32_t request) const {
  return all([&](size_t k) {
    if (mesh_.origin[k].request != request || !is_mesh(k)) return false;
    if (node(k).role == ProxyRole::kOutbound && node(k).service == service) return true;
    const int up = node(k).parent;
    return node(k).role == ProxyRole::kInbound && up >= 0 &&
           node_of({request, up, Origin::Kind::kNode}).role == ProxyRole::kNone &&
           node_of({request, up, Origin::Kind::kNode}).service == service;
  });
}

bool Hand::context_is_known(size_t top) const {
  if (!mesh_.ledger[mesh_.origin[top].request].intent.trace_id.is_zero()) return true;
  for (auto up = parent(top); up; up = parent(*up)) {
    if (span(*up).attributes.find("http.url") != nullptr) return true;
  }
  return false;
}

std::vector<int> Hand::callers() const {
  std::vector<int> out;
  const auto& services = mesh_.scenario.topology.services;
  for (size_t i = 0; i < services.size(); ++i) {
    if (!services[i].calls.empty()) out.push_back(static_cast<int>(i));
  }
  return out;
}

std::string Hand::label(int service) const {
  if (service == kGatewayService) return "gateway";
  if (service == kClientService) return "loadgen";
  return service >= 0 ? mesh_.scenario.topology.services[static_cast<size_t>(service)].name : "?";
}

std::string Hand::hop(size_t i) const {
  const ExpectedSpan& own = node(i);
  if (own.role == ProxyRole::kNone) return "";
  if (own.role != ProxyRole::kInbound) return label(own.service) + "->" + label(own.peer);
  const std::string from =
      own.parent < 0 ? "client"
                     : label(mesh_.tree(mesh_.origin[i].request).spans[static_cast<size_t>(own.parent)].service);
  return from + "->" + label(own.service);
}

void Hand::change(AttributeList& list, std::string_view key, const AnyValue* value) {
  list = changed(list, key, value, arena_);
}

void Hand::replace_attribute(size_t i, std::string_view key, std::string_view value) {
  const AnyValue text = text_value(value, arena_);
  change(span(i).attributes, key, &text);
}

void Hand::remove_attribute(size_t i, std::string_view key) { change(span(i).attributes, key, nullptr); }

void Hand::make_attribute_integer(size_t i, std::string_view key, int64_t value) {
  AnyValue number;
  number.type = AnyValue::Type::kInt;
  number.integer = value;
  change(span(i).attributes, key, &number);
}

void Hand::replace_resource(size_t i, std::string_view key, std::string_view value) {
  Resource resource = *span(i).resource;
  const AnyValue text = text_value(value, arena_);
  change(resource.attributes, key, &text);
  span(i).resource = arena_.make(resource);
}

void Hand::remove_resource(size_t i, std::string_view key) {
  Resource resource = *span(i).resource;
  change(resource.attributes, key, nullptr);
  span(i).resource = arena_.make(resource);
}

void Hand::rename_service(size_t i, std::string_view name) {
  replace_resource(i, "service.name", name);
  Resource resource = *span(i).resource;
  resource.service_name = arena_.copy(name);
  span(i).resource = arena_.make(resource);
}

void Hand::set_scope(size_t i, const Scope& scope) { span(i).scope = arena_.make(scope); }

void Hand::erase(std::vector<size_t> indices) {
  std::sort(indices.rbegin(), indices.rend());
  for (size_t i : indices) {
    mesh_.spans.erase(mesh_.spans.begin() + static_cast<std::ptrdiff_t>(i));
    mesh_.origin.erase(mesh_.origin.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

std::vector<size_t> Hand::repeat(const std::vector<size_t>& indices) {
  std::map<SpanId, SpanId> fresh;
  for (size_t i : indices) fresh[span(i).span_id] = new_span_id();
  std::vector<size_t> out;
  for (size_t i : indices) {
    Span copy = span(i);
    copy.span_id = fresh[copy.span_id];
    const auto parent_copy = fresh.find(copy.parent_id);
    if (parent_copy != fresh.end()) copy.parent_id = parent_copy->second;
    Origin origin = mesh_.origin[i];
    origin.kind = Origin::Kind::kExtra;
    out.push_back(mesh_.spans.size());
    mesh_.spans.push_back(copy);
    mesh_.origin.push_back(origin);
  }
  return out;
}

void Hand::move_to_trace(const std::vector<size_t>& indices, const TraceId& trace) {
  for (size_t i : indices) span(i).trace_id = trace;
}

SpanId Hand::new_span_id() { return random_span_id(rng_); }
TraceId Hand::new_trace_id() { return random_trace_id(rng_); }

std::string Hand::new_request_id() {
  const std::string hex = to_hex(new_trace_id());
  return fmt::format("{}-{}-9{}-8{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(13, 3), hex.substr(17, 3),
                     hex.substr(20, 12));
}

}  // namespace hopcheck::sim

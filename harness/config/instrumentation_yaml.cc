// Files of kind Instrumentation (fixtures/instrumentation), and how a topology comes to those it names.
#include <fmt/format.h>

#include <algorithm>

#include "config/parts.h"

namespace hopcheck::config {
namespace {

const std::vector<std::string> kPlaceholders{"method", "route", "path", "host", "port"};
const std::vector<std::string> kHeaders{"traceparent", "tracestate", "x-request-id"};

AppSpanRule read_span(Reader& spec, const std::string& key, SpanKind kind) {
  AppSpanRule rule;
  Reader reader(spec.take(key, Need::kRequired), spec.path_of(key), spec.problems());
  rule.kind = kind;
  rule.name = reader.text("name", "", Need::kRequired);
  check_template(reader, "name", rule.name, kPlaceholders);
  rule.scope = reader.text("scope", "", Need::kRequired);
  rule.source = reader.text("source", "", Need::kRequired);
  rule.attributes = read_attributes(reader, "attributes", rule.source, kPlaceholders);
  for (const AttributeRule& one : rule.attributes) {
    if (one.when != AttributeRule::When::kAlways && one.when != AttributeRule::When::kOptional)
      reader.problem("attributes", fmt::format("{}: only a proxy has attributes with that `when`", printable(one.key)));
  }
  reader.finish();
  return rule;
}

}  // namespace

AppInstrumentation read_instrumentation(const std::string& name, const Node* spec_node, Problems& problems) {
  AppInstrumentation out;
  out.name = name;
  Reader spec(spec_node, "spec", problems);
  out.proof =
      spec.choice<std::string>("proof", "source", {{"live", "live"}, {"capture", "capture"}, {"source", "source"}});
  out.forwards = spec.texts("forwards");
  for (const std::string& header : out.forwards) {
    if (std::find(kHeaders.begin(), kHeaders.end(), header) == kHeaders.end()) {
      spec.problem("forwards", fmt::format("\"{}\" is none of {}", printable(header), fmt::join(kHeaders, ", ")));
    }
  }
  out.resource = read_attributes(spec, "resource", "", kPlaceholders);
  out.request = read_span(spec, "request", SpanKind::kServer);
  out.call = read_span(spec, "call", SpanKind::kClient);
  spec.finish();
  return out;
}

Loaded<AppInstrumentation> parse_instrumentation(const std::string& text, const std::string& file) {
  Problems problems(file);
  AppInstrumentation out;
  const std::vector<Node> documents = parse_yaml(text, problems);
  if (documents.size() > 1) problems.add(documents[1], "expected one document");
  if (!documents.empty()) {
    const auto head = read_head(documents[0], "Instrumentation", problems);
    if (head && head->spec) out = read_instrumentation(head->name, head->spec, problems);
  }
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return out;
}

// What has no meaning for an app without tracing code, and what it must have.
void check_auto(Reader& reader, const Service& service) {
  const bool is_auto = service.instrumentation == Instrumentation::kAuto;
  for (const char* key : {"sdk", "route"}) {
    if (!is_auto && reader.has(key)) reader.problem(key, "only a service with instrumentation auto has one");
    if (is_auto && !reader.has(key)) reader.problem(key, "missing: a service with instrumentation auto needs it");
  }
  if (is_auto && reader.has("sdk")) check_label_text(reader, "sdk", service.sdk);
  if (is_auto && reader.has("route") && (service.route.empty() || service.route[0] != '/')) {
    reader.problem("route", fmt::format("\"{}\" does not start with '/'", printable(service.route)));
  }
}

}  // namespace hopcheck::config

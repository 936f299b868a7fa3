// How mutants take hold of a mesh: finding spans by what they stand for, and changing them. Every change copies what it
// changes into the arena, so that the clean mesh stays as it is. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/finding.h"
#include "sim/mesh.h"

namespace hopcheck::sim {

// The span of a request that got this HTTP code: attribute, status and `error` as the profile's status table says.
void answer(Span& span, int code, const MeshProfile& profile, Arena& arena);

class Hand {
 public:
  Hand(Mesh& mesh, Arena& arena, Rng& rng) : mesh_(mesh), arena_(arena), rng_(rng) {}

  Mesh& mesh() { return mesh_; }
  Arena& arena() { return arena_; }
  Rng& rng() { return rng_; }
  Span& span(size_t i) { return mesh_.spans[i]; }
  const Span& span(size_t i) const { return mesh_.spans[i]; }
  const ExpectedSpan& node(size_t i) const { return node_of(mesh_.origin[i]); }
  const ExpectedSpan& node_of(const Origin& origin) const {
    return mesh_.tree(origin.request).spans[static_cast<size_t>(origin.node)];
  }
  bool is_mesh(size_t i) const { return node(i).role != ProxyRole::kNone; }

  using Wanted = std::function<bool(size_t)>;
  std::vector<size_t> all(const Wanted& wanted) const;
  std::optional<size_t> draw(const Wanted& wanted);
  // Span of the parent node, of the node's children; those that are there.
  std::optional<size_t> parent(size_t i) const;
  std::vector<size_t> children(size_t i) const;
  std::vector<size_t> subtree(size_t i) const;            // itself first
  std::vector<size_t> request(uint32_t request) const;    // all of its spans
  bool below(size_t i, size_t above) const;               // in the subtree of `above`
  // Where the calls of a service leave it in one request: its outbound spans, or what its callees show when it is not
  // meshed.
  std::vector<size_t> calls_of(int service, uint32_t request) const;
  // Whether anything shows which context reached the place where this span begins: our traceparent, or a proxy above.
  bool context_is_known(size_t top) const;
  // Services that call another one, in topology order.
  std::vector<int> callers() const;

  // The names of findings: "checkout", "gateway", "loadgen"; "checkout->payments".
  std::string label(int service) const;
  std::string hop(size_t i) const;

  void replace_attribute(size_t i, std::string_view key, std::string_view value);  // or adds it
  void remove_attribute(size_t i, std::string_view key);
  void make_attribute_integer(size_t i, std::string_view key, int64_t value);
  void replace_resource(size_t i, std::string_view key, std::string_view value);
  void remove_resource(size_t i, std::string_view key);
  void rename_service(size_t i, std::string_view name);
  void set_scope(size_t i, const Scope& scope);
  void rename(size_t i, std::string_view name) { span(i).name = arena_.copy(name); }
  void erase(std::vector<size_t> indices);
  // Copies of these spans with span ids of their own (links among them follow), as extra ones. Returns their indices.
  std::vector<size_t> repeat(const std::vector<size_t>& indices);
  void move_to_trace(const std::vector<size_t>& indices, const TraceId& trace);
  std::string new_request_id();
  SpanId new_span_id();
  TraceId new_trace_id();

 private:
  void change(AttributeList& list, std::string_view key, const AnyValue* value);

  Mesh& mesh_;
  Arena& arena_;
  Rng& rng_;
};

}  // namespace hopcheck::sim

// A run's evidence as a mesh that follows a profile would leave it: ledger, spans of every request, what the
// environment tells. Pure and seeded. What selftest plants its defects in (mutants.h); a mesh as simulate() makes it
// judges clean. Strings and attributes live in the arena given to simulate(), which outlives the Mesh and every copy of
// it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "base/rng.h"
#include "model/environment.h"
#include "model/expectation.h"
#include "model/ledger.h"
#include "model/run_result.h"
#include "model/span.h"

namespace hopcheck::sim {

// What stands before anything goes wrong. Unset fields are drawn from the seed.
struct Ground {
  std::optional<Entry> entry;
  std::optional<TraceparentMode> traceparent;  // drawn: sampled or none
  std::optional<NamingMode> naming;            // drawn among the profile's
  std::optional<bool> gateway_spawn;           // the switch, where the version has one
  double sampling = 100;                       // per cent
  uint64_t requests = 4;
  bool ledger = true;                          // false: a bare capture
  std::vector<Fault> faults;                   // declared, hence part of the expectation
  bool pinned_profile = true;                  // false: profile auto
  bool naming_restart = true;                  // false: the naming mode was set and no proxy restarted
  bool mixed = false;                          // asks for the two below
  const MeshProfile* newer = nullptr;          // what the sidecars of one service follow instead; null: none
  std::string newer_at;                        // that service
  bool operator==(const Ground&) const = default;
};

// Which node of which request's tree a span stands for.
struct Origin {
  enum class Kind : uint8_t {
    kNode,   // the span of that node
    kExtra,  // another span of the same proxy or app
    kCopy,   // the same span, stored twice: the proxy sent it once
  };
  uint32_t request = 0;
  int node = 0;
  Kind kind = Kind::kNode;
};

// What the judge's own canary gave (run/canary.h); part of a run's evidence.
struct Canary {
  bool reported = true;
};

struct Mesh {
  Scenario scenario;
  const MeshProfile* profile = nullptr;
  RunTag tag;
  bool has_ledger = true;
  std::vector<LedgerEntry> ledger;
  std::vector<ExpectedTree> trees;
  std::vector<int> tree_of;   // by request
  std::vector<Span> spans;    // as stored
  std::vector<Origin> origin; // parallel to spans
  // Spans that a proxy counted as sent and that were not stored, by "<pod>.<namespace>"; reached the Collector or not.
  std::vector<std::pair<std::string, uint64_t>> lost_before_collector, lost_behind_collector;
  Environment environment;
  BodyCounts bodies;
  Canary canary;

  const ExpectedTree& tree(uint32_t request) const { return trees[tree_of[request]]; }
};

// The ground with everything drawn that was left open.
Ground settle(const Ground& ground, const MeshProfile& profile, uint64_t seed);

// Error kUsage: the topology cannot be expanded under this ground.
Result<Mesh> simulate(const Topology& topology, const MeshProfile& profile, const Ground& settled, uint64_t seed,
                      Arena& arena);

// Brings the counters of proxies and Collector in line with spans and losses: exports are counted where they are sent.
void count_exports(Mesh& mesh);

// "<pod>.<namespace>" of the proxy that emits this node.
std::string pod_of(const ExpectedSpan& node);

// Everything a judge may look at, compared: whether a planted defect changed anything at all.
bool same_evidence(const Mesh& a, const Mesh& b);

}  // namespace hopcheck::sim

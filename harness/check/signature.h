// The signature of a capture (verdict.md section 6): what its spans say, without what differs from run to run. Two
// meshes that export the same have equal signatures. Pure; independent of where the captures came from, and of any
// topology or profile, so that it can also prove one provider against another.
//
// A span is named by its *identity*, "<service.name> <KIND> <name>". Counted are, for each identity, *facts*: number of
// spans, kind of parent, status, flags, trace state, scope, links, events, every attribute and resource attribute with
// its type; and *shapes*: whole traces as nested identities with status code, flags and retry number, children sorted.
//
// Left out or made general, because it differs between runs: ids, times, order, ports; addresses (an address is "own",
// "caller's" or "other"); in node_id the address and the pod's generated suffix; in version strings the build's
// identity and Clean/Modified; queries; sizes ("0" or "n"); user agents; request ids ("same as the parent's", "new");
// and what is a race: size and DC of an attempt that was replaced by a retry.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/span.h"

namespace hopcheck::check {

struct Signature {
  uint64_t spans = 0;
  uint64_t traces = 0;
  std::map<std::string, std::map<std::string, uint64_t>> facts;  // identity → fact → spans that have it
  std::map<std::string, uint64_t> shapes;                        // shape → traces of it
};

// `skip_first`: leave out so many traces, the earliest by start time. In recorded captures those that were under way
// while a tracing change reached the proxies (facts 9, item 14). Trees deeper than 64 are cut there.
Signature signature_of(const std::vector<Span>& spans, size_t skip_first = 0);

enum class CountRule {
  kExact,     // the same counts: both sides got the same requests and every trace was due
  kPresence,  // sampled captures: each side may hold only facts and shapes that the other one has too
  kSubset,    // few traces on the actual side: it may hold only what the expected side has
};

struct SignatureDifference {
  std::string subject;  // identity, or "" for shapes and totals
  std::string what;     // the fact or the shape
  uint64_t expected = 0, actual = 0;
};

// Empty when the two are equal under the rule. Sorted by subject and what.
std::vector<SignatureDifference> compare_signatures(const Signature& expected, const Signature& actual,
                                                    CountRule rule);
const char* type_name(AnyValue::Type type);  // "string" …
// A few lines, or "no difference\n".
std::string to_text(const std::vector<SignatureDifference>& differences);

}  // namespace hopcheck::check

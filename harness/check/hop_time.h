// How long a hop took by itself: its first mesh span less the time in which the callee was waiting for calls of its
// own. It ranks hops as bottlenecks, whether the delay sits in a proxy, on the wire or in the app. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "check/match.h"

namespace hopcheck::check {

// `top`: index of the hop's first mesh span in the tree. Calls that overlap count once, and only as far as they lie
// within the hop. nullopt: the span was not observed.
std::optional<int64_t> own_nanos(const Observed& observed, const ExpectedTree& tree, const Match& match, size_t top);

}  // namespace hopcheck::check

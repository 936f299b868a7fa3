// What `hopcheck selftest` prints: a table of rules and their mutants, failures, then three lines that say it all.
#pragma once

#include <string>

#include "run/selftest.h"

namespace hopcheck::app {

std::string selftest_text(const run::SelftestPlan& plan, const run::SelftestTally& tally,
                          const run::SelftestSummary& summary);
std::string selftest_json(const run::SelftestPlan& plan, const run::SelftestTally& tally,
                          const run::SelftestSummary& summary);

}  // namespace hopcheck::app

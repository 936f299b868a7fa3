// The arrows of ARCHITECTURE.md as a check on #include lines. Pure: text in, violations out; the layering test feeds it
// every file of harness/. A violation is one line "path:line: what is wrong". Nothing here throws.
//
// Three things are checked for each include:
//   arrows   a folder includes only folders below it; edges (load, sink, mesh, store, ui) never include each other
//   purity   pure folders include no header for files, sockets, threads, signals or processes
//   weight   heavy third-party headers stand only in .cc files of the folders that own them
// Tests (*_test.cc, and the headers *_test.h and test_*.h they share) may use any pure folder and testing/ besides what
// their folder may.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hopcheck::testing {

// path: relative to harness/, as "sink/server.cc".
std::vector<std::string> layering_violations(std::string_view path, std::string_view text);

// Every folder the arrows know, so that a new folder without arrows is noticed.
std::vector<std::string> known_folders();

}  // namespace hopcheck::testing

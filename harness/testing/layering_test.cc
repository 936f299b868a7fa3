#include "testing/layering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "testing/source_tree.h"

namespace hopcheck::testing {
namespace {

using Lines = std::vector<std::string>;

std::string joined(const Lines& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

TEST(Layering, EveryIncludeOfTheTreeFollowsTheArrows) {
  Lines all;
  size_t files = 0;
  for (const SourceFile& file : read_tree({"harness"})) {
    if (!file.path.ends_with(".h") && !file.path.ends_with(".cc")) continue;
    ++files;
    for (std::string& line : layering_violations(file.path.substr(8), file.text)) all.push_back(std::move(line));
  }
  EXPECT_GT(files, 20u) << "run from the source root";
  EXPECT_EQ(joined(all), "");
}

TEST(Layering, EveryFolderOfTheTreeHasArrows) {
  const Lines known = known_folders();
  std::set<std::string> seen;
  for (const SourceFile& file : read_tree({"harness"})) {
    const size_t slash = file.path.find('/', 8);
    if (slash != std::string::npos) seen.insert(file.path.substr(8, slash - 8));
  }
  for (const std::string& folder : seen) {
    EXPECT_TRUE(std::count(known.begin(), known.end(), folder)) << "harness/" << folder;
  }
}

TEST(Layering, ArrowUpwardsIsReportedWithFileAndLine) {
  EXPECT_EQ(layering_violations("model/span.h", "#pragma once\n#include \"check/catalogue.h\"\n"),
            Lines{"harness/model/span.h:2: arrow model -> check is not allowed"});
}

TEST(Layering, ArrowDownwardsAndWithinTheFolderAreFine) {
  EXPECT_EQ(layering_violations("check/a.cc", "#include \"check/a.h\"\n#include \"plan/intent.h\"\n"), Lines{});
  EXPECT_EQ(layering_violations("app/run.cc", "#include \"mesh/kind.h\"\n#include \"run/phases.h\"\n"), Lines{});
}

TEST(Layering, EdgesDoNotIncludeEachOther) {
  const std::vector<std::string> edges = {"load", "sink", "mesh", "store", "ui"};
  for (const std::string& from : edges) {
    for (const std::string& to : edges) {
      const bool allowed = from == to || (from == "sink" && to == "store");
      EXPECT_EQ(layering_violations(from + "/a.cc", "#include \"" + to + "/b.h\"\n").empty(), allowed)
          << from << " -> " << to;
    }
  }
}

TEST(Layering, PureFoldersDoNoIo) {
  for (const char* header : {"fstream", "thread", "sys/socket.h", "unistd.h", "mutex"}) {
    const std::string line = std::string("#include <") + header + ">\n";
    EXPECT_EQ(layering_violations("check/a.cc", line).size(), 1u) << header;
    EXPECT_EQ(layering_violations("mesh/a.cc", line).size(), 0u) << header;
    EXPECT_EQ(layering_violations("check/a_test.cc", line).size(), 0u) << header;
  }
  EXPECT_EQ(layering_violations("config/files.cc", "#include <fstream>\n"), Lines{});
  EXPECT_EQ(layering_violations("config/reader.cc", "#include <fstream>\n").size(), 1u);
}

TEST(Layering, HeavyHeadersStayInSourcesOfTheirOwners) {
  EXPECT_EQ(layering_violations("report/json.cc", "#include <nlohmann/json.hpp>\n"), Lines{});
  EXPECT_EQ(layering_violations("report/json.h", "#include <nlohmann/json.hpp>\n"),
            Lines{"harness/report/json.h:1: <nlohmann/json.hpp> is heavy: only .cc files include it"});
  EXPECT_EQ(layering_violations("check/a.cc", " # include <boost/asio.hpp>\n"),
            Lines{"harness/check/a.cc:1: <boost/asio.hpp> is not for folder check"});
}

TEST(Layering, IncludeWithoutFolderAndUnknownFolderAreReported) {
  EXPECT_EQ(layering_violations("plan/a.cc", "#include \"a.h\"\n").size(), 1u);
  EXPECT_EQ(layering_violations("plan/a.cc", "#include \"elsewhere/a.h\"\n").size(), 1u);
  EXPECT_EQ(layering_violations("novel/a.cc", "#include \"base/ids.h\"\n").size(), 1u);
}

}  // namespace
}  // namespace hopcheck::testing

// fixtures/topologies/bookinfo.yaml against Istio's own sample manifest. The manifest's facts are kept as lines in
// fixtures/config/bookinfo-upstream.yaml; scripts/verify-bookinfo fetches the manifest and sets
// HOPCHECK_BOOKINFO_MANIFEST, and then the lines are compared with it too. HOPCHECK_UPDATE_GOLDEN=1 beside that
// rewrites them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "config/reader.h"

namespace hopcheck::config {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;
const std::string kFacts = kRoot + "/fixtures/config/bookinfo-upstream.yaml";

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Value at a path of keys, "0" for the first item of a list; an empty node when there is none.
const Node& at(const Node& node, std::initializer_list<std::string> path) {
  static const Node kNone;
  const Node* here = &node;
  for (const std::string& key : path) {
    const Node* next = nullptr;
    if (here->kind == Node::Kind::kList && key == "0" && !here->items.empty()) next = &here->items[0];
    for (size_t i = 0; here->kind == Node::Kind::kMap && i + 1 < here->items.size(); i += 2) {
      if (here->items[i].text == key) next = &here->items[i + 1];
    }
    if (!next) return kNone;
    here = next;
  }
  return *here;
}

std::string pairs(const Node& map) {
  std::set<std::string> sorted;
  for (size_t i = 0; i + 1 < map.items.size(); i += 2) sorted.insert(map.items[i].text + "=" + map.items[i + 1].text);
  std::string out;
  for (const std::string& pair : sorted) out += " " + pair;
  return out;
}

std::set<std::string> facts_of_manifest(const std::string& path) {
  Problems problems(path);
  std::set<std::string> facts;
  for (const Node& object : parse_yaml(read(path), problems)) {
    const std::string name = at(object, {"metadata", "name"}).text;
    const std::string kind = at(object, {"kind"}).text;
    if (kind == "Service") {
      const Node& port = at(object, {"spec", "ports", "0"});
      facts.insert("Service " + name + " port " + at(port, {"name"}).text + " " + at(port, {"port"}).text);
      facts.insert("Service " + name + " selector" + pairs(at(object, {"spec", "selector"})));
    } else if (kind == "ServiceAccount") {
      facts.insert("ServiceAccount " + name);
    } else if (kind == "Deployment") {
      const Node& pod = at(object, {"spec", "template"});
      facts.insert("Deployment " + name + " labels" + pairs(at(pod, {"metadata", "labels"})));
      facts.insert("Deployment " + name + " serviceAccount " + at(pod, {"spec", "serviceAccountName"}).text);
      facts.insert("Deployment " + name + " port " +
                   at(pod, {"spec", "containers", "0", "ports", "0", "containerPort"}).text);
    }
  }
  EXPECT_TRUE(problems.empty()) << to_text(problems.sorted());
  return facts;
}

std::set<std::string> facts_of_topology(const Topology& topology) {
  std::set<std::string> facts;
  for (const Service& service : topology.services) {
    const ServicePort& port = service.ports.at(0);
    facts.insert("Service " + service.name + " port " + port.name + " " + std::to_string(port.port));
    std::string selector;
    for (const auto& [key, value] : service.labels) selector += " " + key + "=" + value;
    facts.insert("Service " + service.name + " selector" + selector);
    facts.insert("ServiceAccount " + service.service_account);
    for (const Workload& workload : service.workloads) {
      facts.insert("Deployment " + workload.name + " labels" + selector + " version=" + workload.version);
      facts.insert("Deployment " + workload.name + " serviceAccount " + service.service_account);
      facts.insert("Deployment " + workload.name + " port " + std::to_string(port.target_port));
    }
  }
  return facts;
}

struct Upstream {
  std::string source;
  std::set<std::string> facts;
};

Upstream upstream() {
  Problems problems(kFacts);
  const auto documents = parse_yaml(read(kFacts), problems);
  Upstream out;
  Reader reader(documents.empty() ? nullptr : &documents[0], "", problems);
  out.source = reader.text("source", "", Need::kRequired);
  const auto lines = reader.texts("facts");
  out.facts = {lines.begin(), lines.end()};
  reader.finish();
  EXPECT_TRUE(problems.empty()) << to_text(problems.sorted());
  return out;
}

void write_facts(const std::string& source, const std::set<std::string>& facts) {
  std::ofstream out(kFacts);
  out << "# What samples/bookinfo/platform/kube/bookinfo.yaml says of names, labels, ports and service accounts; "
         "written by\n"
         "# scripts/verify-bookinfo --update.\n"
         "source: "
      << source << "\nfacts:\n";
  for (const std::string& fact : facts) out << "  - " << fact << "\n";
}

TEST(Bookinfo, TopologyHasTheNamesLabelsPortsAndAccountsOfTheSample) {
  const Upstream sample = upstream();
  EXPECT_EQ(sample.source.rfind("istio.io/istio@", 0), 0u) << sample.source;
  const auto topology = load_topology("bookinfo", "", {kRoot});
  ASSERT_TRUE(topology) << to_text(topology.error());
  EXPECT_EQ(facts_of_topology(*topology), sample.facts);
  EXPECT_EQ(sample.facts.size(), 4u * 3 + 6 * 3);
}

TEST(Bookinfo, FactsAreThoseOfTheManifest) {
  const char* manifest = std::getenv("HOPCHECK_BOOKINFO_MANIFEST");
  const char* source = std::getenv("HOPCHECK_BOOKINFO_SOURCE");
  if (!manifest || !source) GTEST_SKIP() << "scripts/verify-bookinfo runs this with the manifest";
  const std::set<std::string> facts = facts_of_manifest(manifest);
  if (std::getenv("HOPCHECK_UPDATE_GOLDEN")) write_facts(source, facts);
  const Upstream sample = upstream();
  EXPECT_EQ(sample.source, source);
  EXPECT_EQ(sample.facts, facts);
}

}  // namespace
}  // namespace hopcheck::config

// libFuzzer: the YAML loader on arbitrary bytes. The first byte picks the kind (t s u p i w), the rest is the file.
// Besides not crashing: a refusal names at least one problem, and a scenario that carries its topology comes back equal
// from to_yaml().
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "config/load.h"
#include "config/walkthrough.h"

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "yaml_fuzz: %s\n", what);
  std::abort();
}

template <class T>
bool accepted(const hopcheck::config::Loaded<T>& loaded) {
  if (loaded) return true;
  require(!loaded.error().empty() && !hopcheck::config::to_text(loaded.error()).empty(), "refused without a problem");
  return false;
}

void check_scenario(const std::string& text) {
  using namespace hopcheck::config;
  const auto scenario = parse_scenario(text, "fuzz.yaml");
  if (!accepted(scenario) || scenario->topology.services.empty()) return;
  const auto again = parse_scenario(to_yaml(*scenario), "fuzz.yaml");
  require(again.has_value(), "what to_yaml wrote is refused");
  require(*again == *scenario, "what to_yaml wrote is another scenario");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hopcheck::config;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 't':
      accepted(parse_topology(text, "fuzz.yaml"));
      break;
    case 'u':
      accepted(parse_suite(text, "fuzz.yaml"));
      break;
    case 'p':
      accepted(parse_profile(text, "fuzz.yaml"));
      break;
    case 'i':
      accepted(parse_injection_suite(text, "fuzz.yaml"));
      break;
    case 'w':
      accepted(parse_walkthrough(text, "fuzz.yaml"));
      break;
    default:
      check_scenario(text);
      break;
  }
  return 0;
}

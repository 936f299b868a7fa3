// reports/schema/run.schema.json describes what to_json() writes: every key it names is there with the right type, and
// every key that is there is named. Understands the part of JSON Schema draft-07 that the file uses, and refuses the
// rest.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "report/golden_test.h"
#include "report/json.h"
#include "report/sample_run.h"

namespace hopcheck::report {
namespace {

using Json = nlohmann::json;

class Checker {
 public:
  explicit Checker(const Json& schema) : root_(schema) {}
  std::vector<std::string> check(const Json& value) {
    errors_.clear();
    walk(root_, value, "");
    return errors_;
  }

 private:
  static bool has_type(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    if (type == "integer") return value.is_number_integer();
    return type == "number" && value.is_number();
  }
  bool fits(const Json& schema, const Json& value) {
    Checker inner(root_);
    inner.walk(schema, value, "");
    return inner.errors_.empty();
  }
  void expect(bool holds, const std::string& path, const std::string& what) {
    if (!holds) errors_.push_back(path + ": " + what);
  }
  void walk(const Json& schema, const Json& value, const std::string& path) {
    if (schema.contains("$ref")) {
      const std::string name = schema["$ref"].get<std::string>().substr(std::string("#/definitions/").size());
      return walk(root_["definitions"].at(name), value, path);
    }
    for (const auto& [key, rule] : schema.items()) {
      if (key == "type") {
        bool any = false;
        for (const Json& type : rule.is_array() ? rule : Json::array({rule})) any |= has_type(value, type);
        expect(any, path, "type is not " + rule.dump());
      } else if (key == "const") {
        expect(value == rule, path, "is not " + rule.dump());
      } else if (key == "enum") {
        expect(std::find(rule.begin(), rule.end(), value) != rule.end(), path, "is none of " + rule.dump());
      } else if (key == "pattern") {
        expect(!value.is_string() || std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>())),
               path, "no match");
      } else if (key == "minimum") {
        expect(!value.is_number() || value >= rule, path, "too small");
      } else if (key == "minItems" || key == "maxItems") {
        expect(key == "minItems" ? value.size() >= rule.get<size_t>() : value.size() <= rule.get<size_t>(), path, key);
      } else if (key == "anyOf") {
        bool any = false;
        for (const Json& option : rule) any |= fits(option, value);
        expect(any, path, "fits no option");
      } else if (key == "required") {
        for (const Json& name : rule) expect(value.contains(name.get<std::string>()), path, "lacks " + name.dump());
        std::set<std::string> required(rule.begin(), rule.end());
        for (const auto& [name, unused] : schema["properties"].items())
          expect(required.count(name) == 1, path, name + " is not required");
        for (const auto& [name, unused] : value.items())
          expect(schema["properties"].contains(name), path, name + " is not described");
      } else if (key == "properties") {
        for (const auto& [name, inner] : rule.items()) {
          if (value.contains(name)) walk(inner, value[name], path + "/" + name);
        }
      } else if (key == "items") {
        for (size_t i = 0; i < value.size(); ++i) walk(rule, value[i], path + "/" + std::to_string(i));
      } else {
        static const std::set<std::string> kWords{"$schema", "$id", "title", "description", "definitions"};
        expect(kWords.count(key) == 1, path, "the schema uses " + key);
      }
    }
  }

  const Json& root_;
  std::vector<std::string> errors_;
};

Json schema() { return Json::parse(read_source_file("reports/schema/run.schema.json")); }

TEST(RunSchema, DescribesWhatIsWritten) {
  const Json rules = schema();
  Checker checker(rules);
  for (const RunResult& run : {sample::suite_run(), sample::canary_run()}) {
    EXPECT_EQ(checker.check(Json::parse(to_json(run))), std::vector<std::string>{});
  }
  RunResult large = sample::canary_run();
  large.seed = UINT64_MAX;
  large.scenarios[0].requests = 1ull << 60;
  EXPECT_EQ(checker.check(Json::parse(to_json(large))), std::vector<std::string>{});
}

TEST(RunSchema, RefusesWhatIsWrong) {
  const Json rules = schema();
  Checker checker(rules);
  const Json good = Json::parse(to_json(sample::canary_run()));
  const auto refuses = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = value;
    return !checker.check(bad).empty();
  };
  EXPECT_TRUE(refuses("/schemaVersion", 2));
  EXPECT_TRUE(refuses("/verdict", "passed"));
  EXPECT_TRUE(refuses("/phases/0/startUnixNano", 17));
  EXPECT_TRUE(refuses("/scenarios/0/requests", -1));
  EXPECT_TRUE(refuses("/scenarios/0/skipped", false));
  EXPECT_TRUE(refuses("/scenarios/0/findings/0/witness/0/traceId", "ABC"));
  EXPECT_TRUE(refuses("/scenarios/0/exhibits/0/observed/0/attributes/0", Json::array({"key"})));
  EXPECT_TRUE(refuses("/surplus", 1));
  Json lacking = good;
  lacking["scenarios"][0].erase("hops");
  EXPECT_EQ(checker.check(lacking), std::vector<std::string>{"/scenarios/0: lacks \"hops\""});
}

}  // namespace
}  // namespace hopcheck::report

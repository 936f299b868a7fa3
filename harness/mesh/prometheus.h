// The Prometheus text format 0.0.4, as Envoy and the Collector write it: names, labels, values; comments are skipped.
// https://prometheus.io/docs/instrumenting/exposition_formats/. Pure; one pass; malformed lines are skipped and
// counted.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hopcheck::mesh {

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

class Metrics {
 public:
  // `prefixes`: only names that begin with one of them are kept; empty = all.
  explicit Metrics(std::string_view text, const std::vector<std::string>& prefixes = {});
  const std::vector<Sample>& samples() const { return samples_; }
  size_t malformed() const { return malformed_; }
  bool has_prefix(std::string_view prefix) const;
  // Sum over all label sets of `name` or of `name`_total (exporters differ); nullopt when there is none. `label`
  // ("k=v") filters.
  std::optional<uint64_t> sum(const std::string& name, const std::string& label = "") const;

 private:
  std::vector<Sample> samples_;
  size_t malformed_ = 0;
};

}  // namespace hopcheck::mesh

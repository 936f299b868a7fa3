#include "mesh/prometheus.h"

#include <cmath>
#include <cstdlib>

#include "base/text.h"

namespace hopcheck::mesh {
namespace {

// Reads {a="b",c="d"} at the start of `text`; false when malformed. On success `text` is what follows.
bool read_labels(std::string_view& text, std::map<std::string, std::string>& labels) {
  text.remove_prefix(1);
  while (!text.empty() && text[0] != '}') {
    const size_t equals = text.find("=\"");
    if (equals == std::string_view::npos) return false;
    std::string key(text.substr(0, equals)), value;
    text.remove_prefix(equals + 2);
    while (!text.empty() && text[0] != '"') {
      if (text[0] == '\\' && text.size() > 1) {
        text.remove_prefix(1);
        value += text[0] == 'n' ? '\n' : text[0];
      } else {
        value += text[0];
      }
      text.remove_prefix(1);
    }
    if (text.empty()) return false;
    text.remove_prefix(1);
    labels[std::move(key)] = std::move(value);
    if (!text.empty() && text[0] == ',') text.remove_prefix(1);
  }
  if (text.empty()) return false;
  text.remove_prefix(1);
  return true;
}

bool parse_line(std::string_view line, Sample& sample) {
  const size_t name_end = line.find_first_of("{ \t");
  if (name_end == std::string_view::npos || name_end == 0) return false;
  sample.name = std::string(line.substr(0, name_end));
  line.remove_prefix(name_end);
  if (line[0] == '{' && !read_labels(line, sample.labels)) return false;
  const size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos) return false;
  const std::string number(line.substr(start, line.find_first_of(" \t", start) - start));
  char* end = nullptr;
  sample.value = std::strtod(number.c_str(), &end);
  return end != number.c_str() && *end == 0;
}

}  // namespace

Metrics::Metrics(std::string_view text, const std::vector<std::string>& prefixes) {
  for (std::string_view line : split(text, '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    bool wanted = prefixes.empty();
    for (const std::string& prefix : prefixes) wanted = wanted || line.substr(0, prefix.size()) == prefix;
    if (!wanted) continue;
    Sample sample;
    if (parse_line(line, sample)) {
      samples_.push_back(std::move(sample));
    } else {
      ++malformed_;
    }
  }
}

bool Metrics::has_prefix(std::string_view prefix) const {
  for (const Sample& sample : samples_) {
    if (std::string_view(sample.name).substr(0, prefix.size()) == prefix) return true;
  }
  return false;
}

std::optional<uint64_t> Metrics::sum(const std::string& name, const std::string& label) const {
  const size_t equals = label.find('=');
  const std::string key = label.substr(0, equals);
  std::optional<uint64_t> total;
  for (const Sample& sample : samples_) {
    if (sample.name != name && sample.name != name + "_total") continue;
    if (!label.empty()) {
      const auto found = sample.labels.find(key);
      if (found == sample.labels.end() || found->second != label.substr(equals + 1)) continue;
    }
    if (!std::isfinite(sample.value) || sample.value < 0 || sample.value > 9e15) continue;
    total = total.value_or(0) + static_cast<uint64_t>(sample.value);
  }
  return total;
}

}  // namespace hopcheck::mesh

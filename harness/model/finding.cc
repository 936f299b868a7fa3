#include "model/finding.h"

namespace hopcheck {

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "pass";
    case Verdict::kUnknown: return "unknown";
    case Verdict::kFail: return "fail";
  }
  return "?";
}

std::string subject_key(const Subject& subject) {
  std::string out;
  const auto add = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    if (!out.empty()) out += ' ';
    out += name;
    out += '=';
    out += value;
  };
  add("service", subject.service);
  add("hop", subject.hop);
  add("header", subject.header);
  add("object", subject.object);
  return out;
}

}  // namespace hopcheck

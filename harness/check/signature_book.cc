#include "check/signature_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "check/signature.h"

namespace hopcheck::check {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxKeys = 512;       // attribute keys remembered for one kind of span
constexpr size_t kMaxKeyLists = 1024;  // hashes of lists; beyond them every list is looked through
constexpr const char* kFurther = "(further)";

std::string step_of(std::string_view service, SpanKind kind, std::string_view name) {
  return fmt::format("{}/{}/{}", service, to_string(kind), name);
}

uint64_t hash_of(const AttributeList& list, uint64_t hash) {
  for (const Attribute& attribute : list) {
    const uint64_t own = std::hash<std::string_view>{}(attribute.key) + static_cast<uint64_t>(attribute.value.type);
    hash = (hash ^ own) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 32;
  }
  return hash;
}

std::string with_type(std::string_view key, AnyValue::Type type) { return fmt::format("{}:{}", key, type_name(type)); }

// What a profile says of one kind of span, over all trees of a journey.
struct Claim {
  size_t trees = 0;
  std::map<std::string, size_t> always;  // attribute → spans that must have it
  std::set<std::string> known;           // attributes that such a span may have
  size_t spans = 0;
  bool stated = false;  // whether its attributes are known at all: of an app's spans they mostly are not
};

void add_claims(const std::vector<ExpectedAttribute>& attributes, const char* prefix, Claim& claim) {
  for (const ExpectedAttribute& attribute : attributes) {
    if (attribute.when == AttributeRule::When::kNever) continue;
    const bool integer = attribute.type == AttributeRule::Type::kInteger;
    const std::string key =
        prefix + with_type(attribute.key, integer ? AnyValue::Type::kInt : AnyValue::Type::kString);
    claim.known.insert(key);
    if (attribute.when == AttributeRule::When::kAlways) ++claim.always[key];
  }
}

// The caller chooses the authority, port and all: it stands as its placeholder.
constexpr std::string_view kAuthority = "{authority}";

std::string general_name(const ExpectedSpan& span) {
  if (span.rule == nullptr) return span.name;
  for (const std::string& form : {span.rule->name, span.rule->unrouted}) {
    const size_t at = form.find(kAuthority);
    if (at != std::string::npos && span.name.compare(0, at, form, 0, at) == 0) return form;
  }
  return span.name;
}

using Claims = std::map<std::pair<std::string, std::string>, Claim>;  // (journey, path)

Claims claims_of(const plan::Expansion& expansion) {
  Claims out;
  for (const ExpectedTree& tree : expansion.trees) {
    std::vector<std::string> paths;
    std::set<std::string> here;
    for (const ExpectedSpan& span : tree.spans) {
      const std::string own = step_of(span.service_name, span.kind, general_name(span));
      paths.push_back(span.parent < 0 ? own : paths[static_cast<size_t>(span.parent)] + " > " + own);
      Claim& claim = out[{tree.journey, paths.back()}];
      if (here.insert(paths.back()).second) ++claim.trees;
      ++claim.spans;
      claim.stated = claim.stated || span.rule != nullptr;
      add_claims(span.attributes, "", claim);
      add_claims(span.resource, "resource ", claim);
    }
  }
  return out;
}

void join(const Claim& claim, size_t trees, SignatureLine& line) {
  line.expected = claim.trees == trees ? "always" : "sometimes";
  if (!claim.stated || line.count == 0) return;
  for (const std::string& attribute : line.attributes) {
    if (!claim.known.contains(attribute)) line.unlisted.push_back(attribute);
  }
  for (const auto& [attribute, spans] : claim.always) {
    const bool seen = std::binary_search(line.attributes.begin(), line.attributes.end(), attribute);
    if (spans == claim.spans && !seen) line.absent.push_back(attribute);
  }
}

}  // namespace

int SignatureBook::kind_of(const Key& key) {
  const auto found = index_.find(key);
  if (found != index_.end()) return found->second;
  if (kinds_.size() >= kMaxKinds) return -1;
  const int index = static_cast<int>(kinds_.size());
  index_.emplace(key, index);
  Kind kind;
  kind.key = key;
  kind.depth = key.above < 0 ? 1 : kinds_[static_cast<size_t>(key.above)].depth + 1;
  kinds_.push_back(std::move(kind));
  return index;
}

std::string_view SignatureBook::name_of(const Span& span, const SpanInfo& info) {
  const std::string_view authority = info.mesh ? url_authority(info.url) : std::string_view{};
  if (authority.empty() || span.name.size() <= authority.size() || !span.name.ends_with(authority)) return span.name;
  std::string form(span.name.substr(0, span.name.size() - authority.size()));
  return *names_.insert(form.append(kAuthority)).first;
}

// Parents first, without recursion: a trace may be as deep as it has spans.
std::vector<int> SignatureBook::kinds_of(std::string_view journey, const Observed& observed, const Match& match) {
  constexpr int kUnknown = -2, kUnderWay = -3;
  std::vector<int> out(observed.spans.size(), kUnknown);
  std::vector<size_t> climb;
  for (size_t start = 0; start < out.size(); ++start) {
    for (size_t s = start; out[s] == kUnknown; s = static_cast<size_t>(match.parent_of[s])) {
      out[s] = kUnderWay;
      climb.push_back(s);
      if (match.parent_of[s] < 0) break;
    }
    for (; !climb.empty(); climb.pop_back()) {
      const size_t s = climb.back();
      const int parent = match.parent_of[s];
      // In a circle the span where it was entered counts as the first.
      const int above = parent < 0 || out[static_cast<size_t>(parent)] < 0 ? -1 : out[static_cast<size_t>(parent)];
      if (above >= 0 && kinds_[static_cast<size_t>(above)].depth >= kMaxDepth) {
        out[s] = above;
        continue;
      }
      const Span& span = *observed.spans[s];
      out[s] = kind_of({journey, span.resource->service_name, name_of(span, observed.infos[s]), above, span.kind});
    }
  }
  return out;
}

void SignatureBook::add_keys(const AttributeList& list, AttributeKeys& keys, Kind& kind) {
  if (!kind.key_lists.insert(hash_of(list, &keys == &kind.resource ? 1 : 2)).second) return;
  if (kind.key_lists.size() > kMaxKeyLists) kind.key_lists.clear();
  for (const Attribute& attribute : list) {
    if (keys.size() < kMaxKeys) keys.emplace(attribute.key, attribute.value.type);
  }
}

void SignatureBook::add(const std::string& journey, const Observed& observed, const Match& match) {
  ++requests_;
  const std::string_view name = *journeys_.insert(journey).first;
  const std::vector<int> kinds = kinds_of(name, observed, match);
  for (size_t s = 0; s < kinds.size(); ++s) {
    if (kinds[s] < 0) {
      ++further_[journey];
      continue;
    }
    Kind& kind = kinds_[static_cast<size_t>(kinds[s])];
    ++kind.count;
    if (kind.last_request != requests_) ++kind.traces;
    kind.last_request = requests_;
    add_keys(observed.spans[s]->attributes, kind.attributes, kind);
    add_keys(observed.spans[s]->resource->attributes, kind.resource, kind);
  }
}

std::string SignatureBook::path_of(int kind) const {
  std::vector<std::string> steps;
  for (int k = kind; k >= 0; k = kinds_[static_cast<size_t>(k)].key.above) {
    const Key& key = kinds_[static_cast<size_t>(k)].key;
    steps.push_back(step_of(key.service, key.kind, key.name));
  }
  std::reverse(steps.begin(), steps.end());
  return fmt::format("{}", fmt::join(steps, " > "));
}

std::vector<SignatureLine> SignatureBook::lines(const plan::Expansion& expansion) const {
  std::map<std::pair<std::string, std::string>, SignatureLine> out;
  for (size_t k = 0; k < kinds_.size(); ++k) {
    const Kind& kind = kinds_[k];
    SignatureLine line;
    line.journey = kind.key.journey;
    line.path = path_of(static_cast<int>(k));
    line.count = kind.count;
    line.traces = kind.traces;
    for (const auto& [key, type] : kind.attributes) line.attributes.push_back(with_type(key, type));
    for (const auto& [key, type] : kind.resource) line.attributes.push_back("resource " + with_type(key, type));
    std::sort(line.attributes.begin(), line.attributes.end());
    out[{line.journey, line.path}] = std::move(line);
  }
  std::map<std::string, size_t> trees;
  for (const ExpectedTree& tree : expansion.trees) ++trees[tree.journey];
  for (const auto& [key, claim] : claims_of(expansion)) {
    SignatureLine& line = out[key];
    line.journey = key.first;
    line.path = key.second;
    join(claim, trees[key.first], line);
  }
  for (const auto& [journey, spans] : further_) {
    SignatureLine line;
    line.journey = journey;
    line.path = kFurther;
    line.count = spans;
    out[{journey, kFurther}] = std::move(line);
  }
  std::vector<SignatureLine> sorted;
  for (auto& [key, line] : out) sorted.push_back(std::move(line));
  return sorted;
}

}  // namespace hopcheck::check

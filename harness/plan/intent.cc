#include "plan/intent.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <mutex>

#include "base/rng.h"
#include "base/text.h"

namespace hopcheck::plan {
namespace {

using Block = std::array<uint8_t, 16>;

// Domain tags: the first eight bytes of a block that is not a trace id's. They need not differ from every nonce,
// because ids of different domains are never compared with each other.
constexpr uint64_t kRequestIdDomain = 0x782d726571696400;  // "x-reqid\0"
constexpr uint32_t kSpanDomain = 0x7370616e;               // "span"
constexpr uint32_t kUuidDomain = 0x75756964;               // "uuid"
constexpr int kFeistelRounds = 4;

void put_be(uint64_t value, uint8_t* out, size_t size) {
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(value >> (8 * (size - 1 - i)));
}

uint64_t get_be(const uint8_t* data, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | data[i];
  return value;
}

Block block_of(uint64_t high, uint64_t low) {
  Block block;
  put_be(high, block.data(), 8);
  put_be(low, block.data() + 8, 8);
  return block;
}

// AES of a fixed-size block cannot fail once the key is set; if the library says so all ids would be wrong.
void require(bool holds) {
  if (!holds) std::abort();
}

struct ContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, ContextFree>;

CipherContext make_context(const std::array<uint8_t, 16>& key, int encrypt) {
  CipherContext context(EVP_CIPHER_CTX_new());
  require(context != nullptr);
  require(EVP_CipherInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr, encrypt) == 1);
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  return context;
}

Block transform(EVP_CIPHER_CTX* context, const Block& in) {
  Block out;
  int size = 0;
  require(EVP_CipherUpdate(context, out.data(), &size, in.data(), static_cast<int>(in.size())) == 1);
  require(size == static_cast<int>(out.size()));
  return out;
}

}  // namespace

// The contexts hold the expanded key. EVP writes to a context while it encrypts, hence the lock: const members of one
// cipher may be called from several threads.
struct TagCipher::Keys {
  uint64_t nonce;
  CipherContext encrypt, decrypt;
  mutable std::mutex mutex;

  explicit Keys(const RunTag& tag)
      : nonce(tag.nonce), encrypt(make_context(tag.key, 1)), decrypt(make_context(tag.key, 0)) {}

  Block seal(const Block& in) const {
    const std::lock_guard lock(mutex);
    return transform(encrypt.get(), in);
  }
  Block open(const Block& in) const {
    const std::lock_guard lock(mutex);
    return transform(decrypt.get(), in);
  }
  // A permutation of the 64-bit numbers. Luby and Rackoff 1988: four Feistel rounds of a pseudo-random function make
  // a strong one; the function is AES of (domain, round, half), cut to 32 bits.
  uint64_t permute(uint32_t domain, uint64_t value) const {
    uint32_t left = static_cast<uint32_t>(value >> 32);
    uint32_t right = static_cast<uint32_t>(value);
    for (int i = 0; i < kFeistelRounds; ++i) {
      const uint32_t next = left ^ round(domain, i, right);
      left = right;
      right = next;
    }
    return uint64_t{left} << 32 | right;
  }
  uint64_t invert(uint32_t domain, uint64_t value) const {
    uint32_t left = static_cast<uint32_t>(value >> 32);
    uint32_t right = static_cast<uint32_t>(value);
    for (int i = kFeistelRounds - 1; i >= 0; --i) {
      const uint32_t previous = right ^ round(domain, i, left);
      right = left;
      left = previous;
    }
    return uint64_t{left} << 32 | right;
  }

 private:
  uint32_t round(uint32_t domain, int number, uint32_t half) const {
    const Block out = seal(block_of(uint64_t{domain} << 32 | static_cast<uint32_t>(number), half));
    return static_cast<uint32_t>(get_be(out.data(), 4));
  }
};

TagCipher::TagCipher(const RunTag& tag) : keys_(std::make_unique<Keys>(tag)) {}
TagCipher::~TagCipher() = default;
TagCipher::TagCipher(TagCipher&&) noexcept = default;

// All-zero (the one invalid id) comes out for at most one n in 2^128; no run reaches it and nothing looks for it.
TraceId TagCipher::trace_id(uint64_t n) const {
  TraceId id;
  id.bytes = keys_->seal(block_of(keys_->nonce, n));
  return id;
}

std::optional<uint64_t> TagCipher::request_of(const TraceId& id) const {
  const Block plain = keys_->open(id.bytes);
  if (get_be(plain.data(), 8) != keys_->nonce) return std::nullopt;
  return get_be(plain.data() + 8, 8);
}

// One n in 2^64 gives the invalid zero id, as above.
SpanId TagCipher::span_id(uint64_t n) const {
  SpanId id;
  put_be(keys_->permute(kSpanDomain, n), id.bytes.data(), 8);
  return id;
}

uint64_t TagCipher::request_of(const SpanId& id) const {
  return keys_->invert(kSpanDomain, get_be(id.bytes.data(), 8));
}

std::string TagCipher::run8() const { return fmt::format("{:08x}", keys_->nonce >> 32); }

// A UUID (RFC 9562 section 5.4) has 122 free bits: bytes 7 and 9 to 15 hold the permuted n, the rest is AES of
// (nonce, n) and tells our ids from others.
std::string TagCipher::request_id(uint64_t n) const {
  Block block = keys_->seal(block_of(kRequestIdDomain ^ keys_->nonce, n));
  const uint64_t permuted = keys_->permute(kUuidDomain, n);
  block[6] = static_cast<uint8_t>((block[6] & 0x0f) | 0x40);  // version 4
  block[7] = static_cast<uint8_t>(permuted >> 56);
  block[8] = static_cast<uint8_t>((block[8] & 0x3f) | 0x80);  // variant
  put_be(permuted, block.data() + 9, 7);
  std::string text = to_hex(block.data(), block.size());
  for (const size_t at : {20, 16, 12, 8}) text.insert(at, 1, '-');
  return text;
}

std::optional<uint64_t> TagCipher::request_of_request_id(std::string_view uuid) const {
  if (uuid.size() != 36) return std::nullopt;
  std::string hex;
  for (const char c : uuid) {
    if (c != '-') hex += c;
  }
  Block block;
  if (!from_hex(hex, block.data(), block.size())) return std::nullopt;
  const uint64_t n = keys_->invert(kUuidDomain, uint64_t{block[7]} << 56 | get_be(block.data() + 9, 7));
  // Envoy writes its trace reason over the version digit.
  std::string ours = request_id(n);
  ours[14] = uuid[14];
  return ours == uuid ? std::optional<uint64_t>(n) : std::nullopt;
}

namespace {

uint32_t draw_journey(const LoadPlan& plan, uint64_t n) {
  uint64_t total = 0;
  for (const Journey& journey : plan.journeys) total += static_cast<uint64_t>(std::max(journey.weight, 0));
  if (total == 0) return 0;
  uint64_t left = Rng(plan.tag.nonce ^ n).below(total);
  for (uint32_t i = 0; i < plan.journeys.size(); ++i) {
    const uint64_t weight = static_cast<uint64_t>(std::max(plan.journeys[i].weight, 0));
    if (left < weight) return i;
    left -= weight;
  }
  return 0;
}

// floor(index / rate), the rate taken to a millionth of a request per second: exact, so no error adds up over a long
// drive.
int64_t due_offset(double rate, uint64_t index) {
  const double micro_rate = std::round(rate * 1e6);
  const uint64_t per_million_seconds = micro_rate >= 1 && micro_rate < 9e18 ? static_cast<uint64_t>(micro_rate) : 1;
  const unsigned __int128 nanos =
      static_cast<unsigned __int128>(index) * 1'000'000'000'000'000ull / per_million_seconds;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return nanos > static_cast<unsigned __int128>(kMax) ? kMax : static_cast<int64_t>(nanos);
}

}  // namespace

Intent intent_at(const LoadPlan& plan, const TagCipher& cipher, uint64_t index) {
  Intent intent;
  intent.n = plan.first_n + index;
  intent.journey = draw_journey(plan, intent.n);
  intent.due_offset_nanos = due_offset(plan.rate, index);
  if (plan.tag_mode != TagMode::kNone) {
    intent.hop = fmt::format("{}-{}{}", cipher.run8(), plan.warmup ? "w" : "", intent.n);
  }
  if (plan.traceparent == TraceparentMode::kNone) {
    if (plan.request_id) intent.request_id = cipher.request_id(intent.n);
    return intent;
  }
  intent.trace_id = cipher.trace_id(intent.n);
  intent.span_id = cipher.span_id(intent.n);
  intent.sampled = plan.traceparent == TraceparentMode::kSampled;
  intent.request_id = cipher.request_id(intent.n);
  intent.trace_state = substitute(plan.trace_state, [&](std::string_view name) {
    return name == "n" ? std::optional<std::string>(std::to_string(intent.n)) : std::nullopt;
  });
  return intent;
}

std::string traceparent_of(const Intent& intent) {
  if (intent.trace_id.is_zero()) return "";
  return fmt::format("00-{}-{}-{}", to_hex(intent.trace_id), to_hex(intent.span_id), intent.sampled ? "01" : "00");
}

std::string path_of(const LoadPlan& plan, const Intent& intent) {
  std::string path = intent.journey < plan.journeys.size() ? plan.journeys[intent.journey].path : "/";
  if (plan.tag_mode != TagMode::kQuery || intent.hop.empty()) return path;
  const size_t question = path.find('?');
  if (question == std::string::npos) {
    path += '?';
  } else if (question + 1 != path.size() && path.back() != '&') {
    path += '&';
  }
  return path + "hop=" + intent.hop;
}

std::string user_agent_of(const LoadPlan& plan, const TagCipher& cipher, const Intent& intent) {
  const bool tagged = plan.tag_mode == TagMode::kUserAgent && !intent.hop.empty();
  return "hopcheck/" + (tagged ? intent.hop : cipher.run8());
}

namespace {

std::optional<HopTag> parse_tag(std::string_view value, std::string_view run8) {
  if (run8.empty() || value.size() < run8.size() + 2 || value.substr(0, run8.size()) != run8) return std::nullopt;
  value.remove_prefix(run8.size());
  if (value.front() != '-') return std::nullopt;
  value.remove_prefix(1);
  HopTag tag;
  tag.warmup = value.front() == 'w';
  if (tag.warmup) value.remove_prefix(1);
  // Canonical decimal only: "007" was not written by us.
  if (value.empty() || value.size() > 20 || (value.size() > 1 && value.front() == '0')) return std::nullopt;
  for (const char c : value) {
    if (c < '0' || c > '9') return std::nullopt;
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (tag.n > (std::numeric_limits<uint64_t>::max() - digit) / 10) return std::nullopt;
    tag.n = tag.n * 10 + digit;
  }
  return tag;
}

// The values of the parameters called hop, in order, until `found` returns true.
template <class Found>
bool any_hop(std::string_view url, Found found) {
  url = url.substr(0, url.find('#'));
  const size_t question = url.find('?');
  if (question == std::string_view::npos) return false;
  std::string_view query = url.substr(question + 1);
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    if (pair.substr(0, 4) == "hop=" && found(pair.substr(4))) return true;
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

std::optional<HopTag> parse_hop(std::string_view url, std::string_view run8) {
  std::optional<HopTag> tag;
  any_hop(url, [&](std::string_view value) {
    tag = parse_tag(value, run8);
    return tag.has_value();
  });
  return tag;
}

bool hop_of_another_run(std::string_view url, std::string_view run8) {
  return any_hop(url, [&](std::string_view value) {
    const std::string_view run = value.substr(0, 8);
    const bool is_run = run.size() == 8 && run.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    return is_run && run != run8 && parse_tag(value, run).has_value();
  });
}

}  // namespace hopcheck::plan

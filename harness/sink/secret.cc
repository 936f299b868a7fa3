#include "sink/secret.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace hopcheck::sink {

namespace {

constexpr size_t kMaxSecret = 16 * 1024;

std::array<uint8_t, 32> digest_of(std::string_view value, const std::array<uint8_t, 32>& key) {
  std::array<uint8_t, 32> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const uint8_t*>(value.data()),
       value.size(), digest.data(), &size);
  return digest;
}

}  // namespace

Secret::Secret(std::string_view value) : required_(true) {
  RAND_bytes(key_.data(), static_cast<int>(key_.size()));
  digest_ = digest_of(value, key_);
}

bool Secret::matches(std::string_view shown) const {
  const std::array<uint8_t, 32> digest = digest_of(shown, key_);
  return CRYPTO_memcmp(digest.data(), digest_.data(), digest.size()) == 0;
}

Result<std::string> read_secret(const std::string& source) {
  std::string value;
  if (source.rfind("env:", 0) == 0) {
    const char* found = std::getenv(source.c_str() + 4);
    if (found == nullptr) return fail(ErrorKind::kUsage, "environment variable " + source.substr(4) + " is not set");
    value = found;
  } else if (source.rfind("@", 0) == 0) {
    std::ifstream file(source.substr(1), std::ios::binary);
    if (!file) return fail(ErrorKind::kUsage, "cannot read " + source.substr(1), std::strerror(errno));
    std::string text(kMaxSecret + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    value.assign(text, 0, static_cast<size_t>(file.gcount()));
    if (value.size() > kMaxSecret) return fail(ErrorKind::kUsage, source.substr(1) + " is too long for a secret");
  } else {
    return fail(ErrorKind::kUsage, "a secret may not stand on the command line", "process lists show it",
                "write @FILE or env:VARIABLE");
  }
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
  if (value.empty()) return fail(ErrorKind::kUsage, "the secret in " + source + " is empty");
  return value;
}

}  // namespace hopcheck::sink

#include "demo/fetch.h"

#include <curl/curl.h>

#include <cstdio>
#include <memory>
#include <string>

namespace hopcheck::demo {
namespace {

constexpr long kTimeoutMs = 15'000;
constexpr size_t kMaxBody = size_t{8} << 20;

size_t take(char* data, size_t size, size_t count, void* user) {
  std::string& body = *static_cast<std::string*>(user);
  if (body.size() + size * count > kMaxBody) return 0;  // ends the transfer with an error
  body.append(data, size * count);
  return size * count;
}

}  // namespace

int fetch_main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    std::fputs("usage: hopcheck-demo fetch URL\n", stderr);
    return 4;
  }
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) return 1;
  std::string body;
  char why[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(handle.get(), CURLOPT_URL, argv[1]);
  curl_easy_setopt(handle.get(), CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(handle.get(), CURLOPT_DEFAULT_PROTOCOL, "http");
  curl_easy_setopt(handle.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS, kTimeoutMs);
  curl_easy_setopt(handle.get(), CURLOPT_USERAGENT, "hopcheck-demo");
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, why);
  const CURLcode code = curl_easy_perform(handle.get());
  if (code != CURLE_OK) {
    std::fprintf(stderr, "fetch: %s\n", why[0] != '\0' ? why : curl_easy_strerror(code));
    return 1;
  }
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  std::fwrite(body.data(), 1, body.size(), stdout);
  std::fflush(stdout);
  if (status < 400) return 0;
  std::fprintf(stderr, "fetch: HTTP %ld\n", status);
  return 1;
}

}  // namespace hopcheck::demo

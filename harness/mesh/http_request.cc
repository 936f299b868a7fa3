#include "mesh/http_request.h"

#include <curl/curl.h>

#include <memory>

#include "base/text.h"

namespace hopcheck::mesh {
namespace {

struct Download {
  std::string body;
  size_t limit = 0;
  bool too_large = false;
  const std::atomic<bool>* stop = nullptr;
};

size_t on_data(char* data, size_t size, size_t count, void* user) {
  auto& download = *static_cast<Download*>(user);
  if (download.body.size() + size * count > download.limit) {
    download.too_large = true;
    return 0;
  }
  download.body.append(data, size * count);
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const Download*>(user)->stop->load() ? 1 : 0;
}

}  // namespace

Result<HttpReply> http_request(const HttpRequest& request, const std::atomic<bool>& stop) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)initialised;
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) return fail(ErrorKind::kInternal, "cannot make a curl handle");
  Download download;
  download.limit = request.limit;
  download.stop = &stop;
  curl_easy_setopt(handle.get(), CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle.get(), CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(handle.get(), CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &download);
  curl_easy_setopt(handle.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle.get(), CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(handle.get(), CURLOPT_XFERINFODATA, &download);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_slist* headers = curl_slist_append(nullptr, "Expect:");
  for (const auto& [name, value] : request.headers) headers = curl_slist_append(headers, (name + ": " + value).c_str());
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> freed(headers, curl_slist_free_all);
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers);
  const CURLcode code = curl_easy_perform(handle.get());
  if (download.too_large) return fail(ErrorKind::kEvidence, "the answer of " + request.url + " is too large");
  if (code == CURLE_ABORTED_BY_CALLBACK)
    return fail(ErrorKind::kInterrupted, request.method + " " + request.url + " was interrupted");
  if (code != CURLE_OK)
    return fail(ErrorKind::kEnvironment, "no answer: " + request.method + " " + request.url, curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  return HttpReply{static_cast<int>(status), std::move(download.body)};
}

Result<std::string> http_ok(const HttpRequest& request, const std::string& what) {
  static const std::atomic<bool> never{false};
  Result<HttpReply> reply = http_request(request, never);
  if (!reply) return with_context(reply.error(), what);
  if (reply->status / 100 == 2) return std::move(reply->body);
  return fail(ErrorKind::kEnvironment, what + ": HTTP " + std::to_string(reply->status),
              printable(reply->body.substr(0, 200)));
}

}  // namespace hopcheck::mesh

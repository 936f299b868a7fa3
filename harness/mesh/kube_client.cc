#include "mesh/kube_client.h"

#include <curl/curl.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "mesh/kube_exec.h"

namespace hopcheck::mesh {
namespace {

struct Download {
  std::string body;
  size_t limit = 0;
  const std::function<bool(std::string_view)>* on_line = nullptr;
  const std::atomic<bool>* stop = nullptr;
  bool ended_by_caller = false;
  bool too_large = false;
};

size_t on_data(char* data, size_t size, size_t count, void* user) {
  auto& download = *static_cast<Download*>(user);
  download.body.append(data, size * count);
  if (download.body.size() > download.limit) {
    download.too_large = true;
    return 0;
  }
  if (download.on_line == nullptr) return size * count;
  size_t start = 0;
  for (size_t end = download.body.find('\n'); end != std::string::npos; end = download.body.find('\n', start)) {
    if (!(*download.on_line)(std::string_view(download.body).substr(start, end - start))) {
      download.ended_by_caller = true;
      return 0;
    }
    start = end + 1;
  }
  download.body.erase(0, start);
  return size * count;
}

constexpr int kTries = 4;
constexpr int kPauseMs = 300;

bool broke_under_way(CURLcode code) {
  return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
         code == CURLE_GOT_NOTHING || code == CURLE_COULDNT_CONNECT;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& download = *static_cast<Download*>(user);
  return download.stop != nullptr && download.stop->load() ? 1 : 0;
}

curl_blob blob_of(std::string& text) { return curl_blob{text.data(), text.size(), CURL_BLOB_NOCOPY}; }

class CurlKubeClient final : public KubeClient {
 public:
  explicit CurlKubeClient(Kubeconfig config) : config_(std::move(config)) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)initialised;
  }
  ~CurlKubeClient() override {
    for (CURL* handle : idle_) curl_easy_cleanup(handle);
  }

  Result<KubeResponse> request(const KubeRequest& request) override {
    // A connection that breaks under way says nothing of the request: what may be repeated is, POST is not.
    for (int tries = request.method == "POST" ? 1 : kTries;; --tries) {
      CURLcode code = CURLE_OK;
      Result<KubeResponse> response = request_once(request, code);
      if (response || tries <= 1 || !broke_under_way(code)) return response;
      std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMs));
    }
  }

  Result<void> watch(const std::string& path, const std::function<bool(std::string_view)>& on_line, int64_t timeout_ms,
                     const std::atomic<bool>& stop) override {
    CURL* handle = acquire();
    if (handle == nullptr) return fail(ErrorKind::kInternal, "cannot make a curl handle");
    Download download;
    download.limit = size_t{16} << 20;
    download.on_line = &on_line;
    download.stop = &stop;
    prepare(handle, path, timeout_ms, download);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &download);
    const CURLcode code = curl_easy_perform(handle);
    curl_easy_cleanup(handle);  // an aborted stream's connection is of no further use
    if (code == CURLE_OK || download.ended_by_caller || code == CURLE_OPERATION_TIMEDOUT || stop.load()) return {};
    return unreachable("watch " + path, code);
  }

  Result<KubeResponse> exec(const PodCommand& command) override { return exec_in_pod(config_, command); }

 private:
  Result<KubeResponse> request_once(const KubeRequest& request, CURLcode& code) {
    CURL* handle = acquire();
    if (handle == nullptr) return fail(ErrorKind::kInternal, "cannot make a curl handle");
    Download download;
    download.limit = request.limit;
    prepare(handle, request.path, request.timeout_ms, download);
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
    }
    curl_slist* headers = curl_slist_append(nullptr, "Expect:");
    for (const auto& [name, value] : request.headers)
      headers = curl_slist_append(headers, (name + ": " + value).c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    code = curl_easy_perform(handle);
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    release(handle);
    if (download.too_large) return fail(ErrorKind::kEvidence, "the answer to " + request.path + " is too large");
    if (code != CURLE_OK) return unreachable(request.method + " " + request.path, code);
    return KubeResponse{static_cast<int>(status), std::move(download.body)};
  }

  tl::unexpected<Error> unreachable(const std::string& what, CURLcode code) const {
    return fail(ErrorKind::kEnvironment, "the Kubernetes API did not answer: " + what, curl_easy_strerror(code),
                "see whether the node container still runs: docker ps");
  }

  CURL* acquire() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.empty()) return curl_easy_init();
    CURL* handle = idle_.back();
    idle_.pop_back();
    return handle;
  }

  void release(CURL* handle) {
    curl_easy_reset(handle);  // options go, the connection stays
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(handle);
  }

  void prepare(CURL* handle, const std::string& path, int64_t timeout_ms, Download& download) {
    curl_easy_setopt(handle, CURLOPT_URL, (config_.server + path).c_str());
    curl_blob ca = blob_of(config_.ca_pem), certificate = blob_of(config_.certificate_pem),
              key = blob_of(config_.key_pem);
    curl_easy_setopt(handle, CURLOPT_CAINFO_BLOB, &ca);
    if (!config_.certificate_pem.empty()) {
      curl_easy_setopt(handle, CURLOPT_SSLCERT_BLOB, &certificate);
      curl_easy_setopt(handle, CURLOPT_SSLKEY_BLOB, &key);
    }
    if (!config_.token.empty()) {
      curl_easy_setopt(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
      curl_easy_setopt(handle, CURLOPT_XOAUTH2_BEARER, config_.token.c_str());
    }
    curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, 5'000L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &download);
  }

  Kubeconfig config_;
  std::mutex mutex_;
  std::vector<CURL*> idle_;
};

}  // namespace

std::unique_ptr<KubeClient> make_kube_client(Kubeconfig config) {
  return std::make_unique<CurlKubeClient>(std::move(config));
}

}  // namespace hopcheck::mesh

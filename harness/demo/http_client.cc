#include "demo/http_client.h"

#include <curl/curl.h>

#include <mutex>

namespace hopcheck::demo {
namespace {

constexpr size_t kMaxAnswerBytes = 8u << 20;
constexpr size_t kMaxIdleHandles = 512;
constexpr long kMaxConnectionIdleSeconds = 3'600;  // Envoy's own idle limit; it closes first and libcurl notices

struct Transfer {
  const std::stop_token* stop = nullptr;
  size_t bytes = 0;
};

size_t on_body(char*, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  transfer->bytes += size * count;
  return transfer->bytes > kMaxAnswerBytes ? 0 : size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(user)->stop->stop_requested() ? 1 : 0;
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

void append(HeaderList& list, const std::string& line) {
  if (curl_slist* longer = curl_slist_append(list.get(), line.c_str())) {
    static_cast<void>(list.release());
    list.reset(longer);
  }
}

HeaderList header_list(const HttpCall& call) {
  HeaderList list;
  for (const Header& header : call.headers) {
    // libcurl writes an empty value only when the line ends in a semicolon.
    append(list, header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  }
  append(list, "Expect:");
  if (values_of(call.headers, "content-type").empty()) append(list, "Content-Type:");
  return list;
}

void set_method(CURL* handle, const HttpCall& call) {
  if (call.method == "POST" || call.method == "PUT" || call.method == "PATCH") {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, call.body.c_str());
  } else {
    curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  }
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, call.method.c_str());
}

void set_options(CURL* handle, const HttpCall& call, Transfer& transfer) {
  curl_easy_reset(handle);  // options only: connections and DNS cache stay
  curl_easy_setopt(handle, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, call.connect_timeout_ms);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, call.timeout_ms);
  curl_easy_setopt(handle, CURLOPT_MAXAGE_CONN, kMaxConnectionIdleSeconds);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, (std::string("hopcheck-demo/") + kDemoVersion).c_str());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
}

}  // namespace

class HttpClient::Pool {
 public:
  Pool() {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);  // once per process, thread-safe static
    static_cast<void>(initialised);
  }
  ~Pool() {
    for (CURL* handle : idle_) curl_easy_cleanup(handle);
  }
  CURL* borrow() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        CURL* handle = idle_.back();
        idle_.pop_back();
        return handle;
      }
    }
    return curl_easy_init();
  }
  void give_back(CURL* handle) {
    {
      const std::lock_guard lock(mutex_);
      if (idle_.size() < kMaxIdleHandles) {
        idle_.push_back(handle);
        return;
      }
    }
    curl_easy_cleanup(handle);
  }

 private:
  std::mutex mutex_;
  std::vector<CURL*> idle_;
};

HttpClient::HttpClient() : pool_(std::make_unique<Pool>()) {}
HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::perform(const HttpCall& call, const std::stop_token& stop) {
  HttpAnswer answer;
  CURL* handle = pool_->borrow();
  if (!handle) {
    answer.error = "libcurl gave no handle";
    return answer;
  }
  Transfer transfer{&stop, 0};
  const HeaderList headers = header_list(call);
  set_options(handle, call, transfer);
  set_method(handle, call);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(handle);
  if (code == CURLE_OK) {
    long status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &retry_after);
    answer.status = static_cast<int>(status);
    answer.retry_after_seconds = static_cast<long>(retry_after);
  } else {
    answer.error = curl_easy_strerror(code);
  }
  // Nothing of this call may stay behind in the pooled handle: its lists and buffers die here.
  curl_easy_reset(handle);
  pool_->give_back(handle);
  return answer;
}

}  // namespace hopcheck::demo

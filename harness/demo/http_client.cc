#include "demo/http_client.h"

#include <curl/curl.h>

#include <charconv>
#include <cstring>
#include <mutex>

#include "h2/grpc.h"

namespace hopcheck::demo {
namespace {

constexpr size_t kMaxAnswerBytes = 8u << 20;
constexpr size_t kMaxIdleHandles = 512;
constexpr long kMaxConnectionIdleSeconds = 3'600;  // Envoy's own idle limit; it closes first and libcurl notices

// A multi handle of its own for each easy handle: only it can be woken at once when a stop is requested.
struct Handle {
  CURLM* multi = nullptr;  // owns the connections
  CURL* easy = nullptr;
};

size_t on_body(char*, size_t size, size_t count, void* user) {
  auto* bytes = static_cast<size_t*>(user);
  *bytes += size * count;
  return *bytes > kMaxAnswerBytes ? 0 : size * count;
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
  if (call.protocol == CallProtocol::kGrpc) {
    append(list, "content-type: " + std::string(h2::kGrpcContentType));
    append(list, "te: trailers");
  } else if (values_of(call.headers, "content-type").empty()) append(list, "Content-Type:");
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

// The code that the trailers carry, or the only header block of an answer without message.
void read_grpc_status(CURL* handle, HttpAnswer& answer) {
  curl_header* header = nullptr;
  const CURLHcode found = curl_easy_header(handle, "grpc-status", 0, CURLH_TRAILER | CURLH_HEADER, -1, &header);
  int code = -1;
  if (found == CURLHE_OK) std::from_chars(header->value, header->value + std::strlen(header->value), code);
  if (code >= 0) {
    answer.grpc_status = code;
    answer.status = h2::http_of_grpc(code);
  } else if (answer.status == 200) {
    answer.status = 0;
    answer.error = "no grpc-status in the answer";
  }
}

void set_options(CURL* handle, const HttpCall& call, size_t& answer_bytes) {
  curl_easy_setopt(handle, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, call.protocol == CallProtocol::kHttp1
                                                    ? static_cast<long>(CURL_HTTP_VERSION_1_1)
                                                    : static_cast<long>(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
  // libcurl 7.88 (Debian 12) cannot use an HTTP/2 connection without TLS a second time ("Error in the HTTP2 framing
  // layer", with its own program as well): such calls have a connection each.
  const long single = call.protocol == CallProtocol::kHttp1 ? 0L : 1L;
  curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, single);
  curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, single);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, call.connect_timeout_ms);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, call.timeout_ms);
  curl_easy_setopt(handle, CURLOPT_MAXAGE_CONN, kMaxConnectionIdleSeconds);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, (std::string("hopcheck-demo/") + kDemoVersion).c_str());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer_bytes);
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);  // a stop does not wait for a name server
}

// Ends by the call's timeout at the latest.
CURLcode transfer(const Handle& handle, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [multi = handle.multi] { curl_multi_wakeup(multi); });
  CURLcode result = CURLE_ABORTED_BY_CALLBACK;
  curl_multi_add_handle(handle.multi, handle.easy);
  while (!stop.stop_requested()) {
    int running = 0;
    if (curl_multi_perform(handle.multi, &running) != CURLM_OK) break;
    if (running == 0) {
      int left = 0;
      if (const CURLMsg* message = curl_multi_info_read(handle.multi, &left)) result = message->data.result;
      break;
    }
    if (curl_multi_poll(handle.multi, nullptr, 0, 1'000, nullptr) != CURLM_OK) break;
  }
  curl_multi_remove_handle(handle.multi, handle.easy);
  return result;
}

void destroy(const Handle& handle) {
  curl_easy_cleanup(handle.easy);
  curl_multi_cleanup(handle.multi);
}

}  // namespace

class HttpClient::Pool {
 public:
  Pool() {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);  // once per process, thread-safe static
    static_cast<void>(initialised);
  }
  ~Pool() {
    for (const Handle& handle : idle_) destroy(handle);
  }
  // Both pointers or none.
  Handle borrow() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        const Handle handle = idle_.back();
        idle_.pop_back();
        return handle;
      }
    }
    const Handle made{curl_multi_init(), curl_easy_init()};
    if (made.multi && made.easy) return made;
    destroy(made);
    return {};
  }
  void give_back(const Handle& handle) {
    {
      const std::lock_guard lock(mutex_);
      if (idle_.size() < kMaxIdleHandles) {
        idle_.push_back(handle);
        return;
      }
    }
    destroy(handle);
  }

 private:
  std::mutex mutex_;
  std::vector<Handle> idle_;
};

HttpClient::HttpClient(HttpRoute route) : pool_(std::make_unique<Pool>()), route_(std::move(route)) {}
HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::perform(const HttpCall& asked, const std::stop_token& stop) {
  HttpAnswer answer;
  HttpCall call = asked;
  if (call.protocol == CallProtocol::kGrpc) call.body = h2::grpc_frame(call.body);
  const Handle handle = pool_->borrow();
  if (!handle.easy) {
    answer.error = "libcurl gave no handle";
    return answer;
  }
  size_t answer_bytes = 0;
  const HeaderList headers = header_list(call);
  HeaderList connect_to;
  for (const std::string& rule : route_.connect_to) append(connect_to, rule);
  set_options(handle.easy, call, answer_bytes);
  set_method(handle.easy, call);
  curl_easy_setopt(handle.easy, CURLOPT_HTTPHEADER, headers.get());
  if (connect_to) curl_easy_setopt(handle.easy, CURLOPT_CONNECT_TO, connect_to.get());
  if (!route_.interface.empty()) curl_easy_setopt(handle.easy, CURLOPT_INTERFACE, ("host!" + route_.interface).c_str());
  const CURLcode code = transfer(handle, stop);
  if (code == CURLE_OK) {
    long status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(handle.easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle.easy, CURLINFO_RETRY_AFTER, &retry_after);
    answer.status = static_cast<int>(status);
    answer.retry_after_seconds = static_cast<long>(retry_after);
    if (call.protocol == CallProtocol::kGrpc) read_grpc_status(handle.easy, answer);
  } else {
    answer.error = stop.stop_requested() ? "stopped" : curl_easy_strerror(code);
  }
  // Nothing of this call may stay behind in the pooled handle: its lists and buffers die here. Connections stay.
  curl_easy_reset(handle.easy);
  pool_->give_back(handle);
  return answer;
}

}  // namespace hopcheck::demo

// For tests: the client's end of an HTTP/2 connection in memory, so that a test decides what is sent and when.
// `output()` is what goes to the server, `receive()` takes what comes back.
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "h2/session.h"

namespace hopcheck::h2 {

struct TestAnswer {
  std::vector<Field> fields;    // :status first
  std::vector<Field> trailers;
  std::string body;
  bool closed = false;
  uint32_t error = 0;           // of RST_STREAM, when it was closed by one
  std::string field(std::string_view name) const {
    for (const auto* list : {&fields, &trailers}) {
      for (const Field& each : *list) {
        if (each.name == name) return each.value;
      }
    }
    return "";
  }
};

class TestClient {
 public:
  enum class End { kWithBody, kNever };  // kNever: the request stays open

  TestClient() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option* options = nullptr;
    nghttp2_option_new(&options);
    nghttp2_option_set_peer_max_concurrent_streams(options, 1000);
    nghttp2_session_client_new2(&session_, callbacks, this, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~TestClient() { nghttp2_session_del(session_); }
  TestClient(const TestClient&) = delete;

  int32_t request(const std::string& method, const std::string& path, const std::vector<Field>& fields = {},
                  const std::string& body = "", End end = End::kWithBody) {
    std::vector<Field> all{{":method", method}, {":scheme", "http"}, {":authority", "test"}, {":path", path}};
    all.insert(all.end(), fields.begin(), fields.end());
    std::vector<nghttp2_nv> pairs;
    for (Field& each : all) {
      pairs.push_back({reinterpret_cast<uint8_t*>(each.name.data()), reinterpret_cast<uint8_t*>(each.value.data()),
                       each.name.size(), each.value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    const nghttp2_data_provider provider{{0}, read_body};
    const bool bare = body.empty() && end == End::kWithBody;
    const int32_t id =
        nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(), bare ? nullptr : &provider, nullptr);
    bodies_[id] = {body, 0, end};
    return id;
  }
  void reset(int32_t stream) { nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL); }

  std::string output() {
    std::string out;
    for (;;) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) return out;
      out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
    }
  }
  void receive(std::string_view bytes) {
    nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
  std::map<int32_t, TestAnswer> answers;
  bool went_away = false;

 private:
  struct Body {
    std::string bytes;
    size_t sent = 0;
    End end = End::kWithBody;
  };
  static TestClient& self(void* user) { return *static_cast<TestClient*>(user); }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* user) {
    TestAnswer& answer = self(user).answers[frame->hd.stream_id];
    auto& list = frame->headers.cat == NGHTTP2_HCAT_HEADERS ? answer.trailers : answer.fields;
    list.push_back({std::string(reinterpret_cast<const char*>(name), name_size),
                    std::string(reinterpret_cast<const char*>(value), value_size)});
    return 0;
  }
  static int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    self(user).answers[id].body.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_GOAWAY) self(user).went_away = true;
    return 0;
  }
  static int on_close(nghttp2_session*, int32_t id, uint32_t error, void* user) {
    self(user).answers[id].closed = true;
    self(user).answers[id].error = error;
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, int32_t id, uint8_t* out, size_t room, uint32_t* flags,
                           nghttp2_data_source*, void* user) {
    Body& body = self(user).bodies_[id];
    const size_t count = std::min(room, body.bytes.size() - body.sent);
    std::copy_n(body.bytes.data() + body.sent, count, out);
    body.sent += count;
    const bool all = body.sent == body.bytes.size();
    if (all && body.end == End::kWithBody) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (all && body.end == End::kNever && count == 0) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(count);
  }

  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Body> bodies_;
};

}  // namespace hopcheck::h2

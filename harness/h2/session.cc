#include "h2/session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <map>

#include "h2/grpc.h"

namespace hopcheck::h2 {
namespace {

struct Stream {
  Request request;
  size_t field_bytes = 0;
  bool grpc = false;
  bool head = false;        // an answer to HEAD has no body
  bool passed = false;      // its head was seen, and its owner waits for the body
  bool handed_out = false;  // its answer is somebody's business
  bool refused = false;     // answered here; what still comes of it is thrown away
  bool answered = false;
  Response response;
  size_t sent = 0;  // of response.body
};

nghttp2_nv pair_of(const Field& field) {
  // nghttp2 copies both and writes to neither.
  auto* name = reinterpret_cast<uint8_t*>(const_cast<char*>(field.name.data()));
  auto* value = reinterpret_cast<uint8_t*>(const_cast<char*>(field.value.data()));
  return {name, value, field.name.size(), field.value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::vector<nghttp2_nv> pairs_of(const std::vector<Field>& fields) {
  std::vector<nghttp2_nv> out;
  for (const Field& field : fields) out.push_back(pair_of(field));
  return out;
}

}  // namespace

class ServerSession::Impl {
 public:
  Impl(const Limits& limits, Handlers handlers) : limits_(limits), handlers_(std::move(handlers)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits_.field_bytes)}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
  }
  ~Impl() { nghttp2_session_del(session_); }
  Impl(const Impl&) = delete;

  Result<void> receive(std::string_view bytes) {
    if (broken_) return fail(ErrorKind::kEvidence, "the HTTP/2 connection is closed");
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    const ssize_t taken = nghttp2_session_mem_recv(session_, data, bytes.size());
    hand_out();
    if (taken >= 0) return {};
    broken_ = true;
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC || taken == NGHTTP2_ERR_FLOODED) {
      nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
    }
    return fail(ErrorKind::kEvidence, "the peer broke HTTP/2", nghttp2_strerror(static_cast<int>(taken)));
  }

  void respond(int32_t id, Response response) {
    const auto held = handed_out_.find(id);
    if (held == handed_out_.end()) return;
    body_bytes_ -= held->second;
    handed_out_.erase(held);
    const auto found = streams_.find(id);
    if (found == streams_.end() || found->second.answered) return;
    submit(id, found->second, std::move(response));
  }

  void go_away() {
    const int32_t last = nghttp2_session_get_last_proc_stream_id(session_);
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
  }

  std::string output(size_t most) {
    std::string out;
    while (out.size() < most) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) break;
      out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
    }
    return out;
  }

  bool finished() const {
    return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
  }
  size_t open_streams() const { return streams_.size(); }
  size_t unanswered() const { return handed_out_.size(); }
  const Counters& counters() const { return counters_; }
  size_t buffered_bytes() const { return body_bytes_; }
  size_t buffered_bytes(int32_t id) const {
    const auto found = streams_.find(id);
    return found == streams_.end() ? 0 : found->second.request.body.size();
  }

  void refuse(int32_t id, Response response) {
    const auto found = streams_.find(id);
    if (found == streams_.end() || found->second.handed_out) return;
    refuse(id, found->second, std::move(response));
  }

 private:
  static Impl& self(void* user) { return *static_cast<Impl*>(user); }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      self(user).streams_[frame->hd.stream_id].request.stream = frame->hd.stream_id;
    }
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* user) {
    const Field field{std::string(reinterpret_cast<const char*>(name), name_size),
                      std::string(reinterpret_cast<const char*>(value), value_size)};
    self(user).take_field(frame->hd.stream_id, field);
    return 0;
  }

  static int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    self(user).take_data(id, {reinterpret_cast<const char*>(data), size});
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Impl& impl = self(user);
    if (frame->hd.type == NGHTTP2_RST_STREAM) ++impl.counters_.resets;
    const bool head = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (head) impl.take_head(frame->hd.stream_id);
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) impl.complete_.push_back(frame->hd.stream_id);
    return 0;
  }

  // An answer that came before the request's end: what is left of it need not be sent (RFC 9113 section 8.1).
  static int on_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const auto found = self(user).streams_.find(frame->hd.stream_id);
    if (found == self(user).streams_.end() || !found->second.refused) return 0;
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static int on_close(nghttp2_session*, int32_t id, uint32_t, void* user) {
    Impl& impl = self(user);
    const auto found = impl.streams_.find(id);
    if (found == impl.streams_.end()) return 0;
    const bool lost = found->second.passed && !found->second.answered;
    impl.release_body(found->second);
    impl.streams_.erase(found);
    if (lost && impl.handlers_.on_lost) impl.handlers_.on_lost(id, Lost::kReset);
    return 0;
  }

  static ssize_t read_body(nghttp2_session* session, int32_t id, uint8_t* out, size_t room, uint32_t* flags,
                           nghttp2_data_source*, void* user) {
    const auto found = self(user).streams_.find(id);
    if (found == self(user).streams_.end()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    Stream& stream = found->second;
    const size_t count = std::min(room, stream.response.body.size() - stream.sent);
    std::copy_n(stream.response.body.data() + stream.sent, count, out);
    stream.sent += count;
    if (stream.sent < stream.response.body.size()) return static_cast<ssize_t>(count);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.response.trailers.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const std::vector<nghttp2_nv> trailers = pairs_of(stream.response.trailers);
      nghttp2_submit_trailer(session, id, trailers.data(), trailers.size());
    }
    return static_cast<ssize_t>(count);
  }

  void take_field(int32_t id, const Field& field) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    Stream& stream = found->second;
    stream.field_bytes += field.name.size() + field.value.size() + 32;  // as RFC 9113 section 6.5.2 counts
    if (stream.field_bytes > limits_.field_bytes) {
      if (stream.passed) return give_up(id, stream, Lost::kTooLong);  // trailers
      return give_up(id, stream, 431, "the header fields are too long");
    }
    if (stream.refused) return;
    Request& request = stream.request;
    if (field.name == ":method") request.method = field.value;
    else if (field.name == ":scheme") request.scheme = field.value;
    else if (field.name == ":authority") request.authority = field.value;
    else if (field.name == ":path") request.path = field.value;
    else request.fields.push_back(field);
    if (field.name == "content-type") stream.grpc = is_grpc(field.value);
  }

  void take_head(int32_t id) {
    const auto found = streams_.find(id);
    if (found == streams_.end() || found->second.refused) return;
    Stream& stream = found->second;
    stream.head = stream.request.method == "HEAD";
    std::optional<Response> early;
    if (handlers_.on_head) early = handlers_.on_head(stream.request);
    if (early) return refuse(id, stream, std::move(*early));
    stream.passed = true;
  }

  void take_data(int32_t id, std::string_view data) {
    const auto found = streams_.find(id);
    if (found == streams_.end() || found->second.refused) return;
    Stream& stream = found->second;
    if (stream.request.body.size() + data.size() > limits_.body_bytes) {
      return give_up(id, stream, Lost::kTooLong);
    }
    if (body_bytes_ + data.size() > limits_.connection_body_bytes) {
      return give_up(id, stream, Lost::kTooMuch);
    }
    body_bytes_ += data.size();
    stream.request.body.append(data);
  }

  void release_body(Stream& stream) {
    body_bytes_ -= stream.request.body.size();  // none is left when it was handed out
    stream.request.body.clear();
  }

  void give_up(int32_t id, Stream& stream, Lost why) {
    if (stream.refused || stream.answered) return;
    std::optional<Response> own;
    if (stream.passed && handlers_.on_lost) own = handlers_.on_lost(id, why);
    if (!own && why == Lost::kTooLong) return give_up(id, stream, 413, "the message is too long");
    if (!own) return give_up(id, stream, 503, "too much is under way on this connection");
    ++counters_.refused;
    refuse(id, stream, std::move(*own));
  }

  void give_up(int32_t id, Stream& stream, int status, const char* why) {
    if (stream.refused || stream.answered) return;
    ++counters_.refused;
    const int code = status == 503 ? kUnavailable : kResourceExhausted;
    refuse(id, stream,
           stream.grpc ? grpc_response(code, "", why)
                       : Response{status, {{"content-type", "text/plain"}}, std::string(why) + "\n", {}});
  }

  void refuse(int32_t id, Stream& stream, Response response) {
    if (stream.refused || stream.answered) return;
    release_body(stream);
    stream.refused = true;
    submit(id, stream, std::move(response));
  }

  // Outside nghttp2's callbacks, so that an answer may be given at once.
  void hand_out() {
    std::vector<int32_t> complete;
    complete.swap(complete_);
    for (const int32_t id : complete) {
      const auto found = streams_.find(id);
      if (found == streams_.end() || found->second.refused || found->second.handed_out) continue;
      if (handed_out_.size() >= limits_.unanswered) {
        give_up(id, found->second, Lost::kTooMuch);
        continue;
      }
      found->second.handed_out = true;
      handed_out_[id] = found->second.request.body.size();
      ++counters_.requests;
      Request request = std::move(found->second.request);
      found->second.request.body.clear();
      handlers_.on_request(std::move(request));
    }
  }

  void submit(int32_t id, Stream& stream, Response response) {
    stream.answered = true;
    stream.response = std::move(response);
    if (stream.head) stream.response.body.clear();
    std::vector<Field> fields{{":status", std::to_string(stream.response.status)}};
    fields.insert(fields.end(), stream.response.fields.begin(), stream.response.fields.end());
    const std::vector<nghttp2_nv> pairs = pairs_of(fields);
    const nghttp2_data_provider body{{0}, read_body};
    const bool bare = stream.response.body.empty() && stream.response.trailers.empty();
    nghttp2_submit_response(session_, id, pairs.data(), pairs.size(), bare ? nullptr : &body);
  }

  const Limits limits_;
  const Handlers handlers_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Stream> streams_;
  std::vector<int32_t> complete_;  // requests that ended and are not handed out yet
  std::map<int32_t, size_t> handed_out_;  // not answered yet → bytes of the body; a stream may be gone before that
  size_t body_bytes_ = 0;                 // of requests that are not answered
  Counters counters_;
  bool broken_ = false;
};

ServerSession::ServerSession(const Limits& limits, OnRequest on_request)
    : impl_(std::make_unique<Impl>(limits, Handlers{std::move(on_request), {}, {}})) {}
ServerSession::ServerSession(const Limits& limits, Handlers handlers)
    : impl_(std::make_unique<Impl>(limits, std::move(handlers))) {}
ServerSession::~ServerSession() = default;
Result<void> ServerSession::receive(std::string_view bytes) { return impl_->receive(bytes); }
void ServerSession::respond(int32_t stream, Response response) { impl_->respond(stream, std::move(response)); }
void ServerSession::refuse(int32_t stream, Response response) { impl_->refuse(stream, std::move(response)); }
void ServerSession::go_away() { impl_->go_away(); }
std::string ServerSession::output(size_t most) { return impl_->output(most); }
bool ServerSession::finished() const { return impl_->finished(); }
size_t ServerSession::open_streams() const { return impl_->open_streams(); }
size_t ServerSession::unanswered() const { return impl_->unanswered(); }
size_t ServerSession::buffered_bytes() const { return impl_->buffered_bytes(); }
size_t ServerSession::buffered_bytes(int32_t stream) const { return impl_->buffered_bytes(stream); }
const Counters& ServerSession::counters() const { return impl_->counters(); }

}  // namespace hopcheck::h2

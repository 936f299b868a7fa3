// Beast parses, this file decides when to read, for how long, and whether a connection can go on.
#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "sink/stream.h"

namespace hopcheck::sink {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr size_t kReadSize = 64 * 1024;
constexpr uint64_t kDiscardAtMost =
    64 * 1024;  // a refused body up to this is read away, so that the connection can go on
constexpr int64_t kLingerMs = 2000;              // a longer one gets this time to notice, then the connection is closed
constexpr size_t kLingerAtMost = 16u << 20;

// A body that grows with what really arrives, never by what a header claims.
struct GrowingBody {
  using value_type = std::string;
  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(http::header<isRequest, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<uint64_t>&, ErrorCode& error) { error = {}; }
    template <class Buffers>
    size_t put(const Buffers& buffers, ErrorCode& error) {
      error = {};
      size_t size = 0;
      for (const asio::const_buffer buffer : beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        size += buffer.size();
      }
      return size;
    }
    void finish(ErrorCode& error) { error = {}; }

   private:
    value_type& body_;
  };
};

bool is_http_error(const ErrorCode& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category();
}

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

class Connection : public OpenConnection {
 public:
  Connection(Socket socket, Connections& shared)
      : OpenConnection(shared), stream_(std::move(socket), shared.tls_context()), timer_(stream_.get_executor()),
        buffer_(shared.limits.max_header_bytes + kReadSize) {}

  void start() {
    arm(shared_.tls ? shared_.limits.header_timeout_ms : shared_.limits.idle_timeout_ms);
    stream_.open(shared_, [self = self()](ErrorCode error) {
      if (error) return self->close();
      self->wait_for_request();
    });
  }
  void close_from_outside(Connections::Close how) override {
    asio::post(stream_.get_executor(), [self = self(), how] {
      if (how == Connections::Close::kNow || self->idle_) self->close();
    });
  }

 private:
  void wait_for_request();
  void read_head();
  void on_head(ErrorCode error);
  void serve_head();
  void read_body();
  void on_body(ErrorCode error);
  void body_failed(ErrorCode error);
  void finish();
  void send(const Reply& reply);
  void after_reply();
  void discard_body();
  void linger(size_t discarded);
  void close() {
    timer_.cancel();
    stream_.close();
  }

  void reset() {
    timer_.cancel();
    stream_.reset();
  }
  // Nobody waits for our answer: the peer has closed its side while we kept it waiting.
  bool is_gone() {
    pollfd look{stream_.socket().native_handle(), POLLRDHUP, 0};
    return ::poll(&look, 1, 0) > 0;
  }

  // The deadline of the operation that follows; on expiry it is cancelled and timed_out_ is set.
  void arm(int64_t timeout_ms);
  std::shared_ptr<Connection> self() { return std::static_pointer_cast<Connection>(shared_from_this()); }

  Stream stream_;
  Timer timer_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<GrowingBody>> parser_;
  std::unique_ptr<Exchange> exchange_;
  std::string out_;
  SteadyClock::time_point body_start_;
  uint64_t timer_generation_ = 0;
  bool timed_out_ = false;
  bool idle_ = true;
  bool keep_alive_ = false;
  bool body_unread_ = false;
};

void Connection::arm(int64_t timeout_ms) {
  timed_out_ = false;
  const uint64_t generation = ++timer_generation_;
  timer_.expires_after(milliseconds(timeout_ms));
  timer_.async_wait([self = self(), generation](ErrorCode error) {
    if (error || generation != self->timer_generation_) return;
    self->timed_out_ = true;
    ErrorCode ignored;
    self->stream_.socket().cancel(ignored);
  });
}

void Connection::wait_for_request() {
  if (shared_.draining && buffer_.size() == 0) return close();
  parser_.reset();
  exchange_.reset();
  account(0);
  if (buffer_.size() > 0) return read_head();  // pipelined
  idle_ = true;
  arm(shared_.limits.idle_timeout_ms);
  stream_.async_read_some(buffer_.prepare(kReadSize), [self = self()](ErrorCode error, size_t size) {
    self->idle_ = false;
    if (error) return self->close();
    self->buffer_.commit(size);
    self->read_head();
  });
}

void Connection::read_head() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(shared_.limits.max_header_bytes));
  parser_->body_limit(UINT64_MAX);  // looked at after the head, which may be refused for a better reason
  arm(shared_.limits.header_timeout_ms);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = self()](ErrorCode error, size_t) { self->on_head(error); });
}

void Connection::on_head(ErrorCode error) {
  if (!error) return serve_head();
  int status = 400;
  if (error == asio::error::operation_aborted && timed_out_) {
    status = 408;
  } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    status = 431;
  } else if (!is_http_error(error) ||
             error == http::error::end_of_stream || error == http::error::partial_message) {
    return close();  // the sender went away
  }
  keep_alive_ = false;
  body_unread_ = true;
  send(shared_.service.malformed(status));
}

void Connection::serve_head() {
  const auto& message = parser_->get();
  RequestHead head;
  head.method = view(message.method_string());
  head.target = view(message.target());
  head.peer = stream_.peer();
  for (const auto& field : message) {
    head.fields.emplace_back(view(field.name_string()), view(field.value()));
  }
  head.chunked = parser_->chunked();
  if (const auto length = parser_->content_length()) head.content_length = *length;
  keep_alive_ = parser_->keep_alive();
  body_unread_ = !parser_->is_done();
  if (head.fields.size() > shared_.limits.max_header_fields) {
    keep_alive_ = false;
    return send(shared_.service.malformed(431));
  }
  exchange_ = shared_.service.begin(head);
  if (const auto early = exchange_->early_reply()) return send(*early);
  parser_->body_limit(shared_.service.body_limit());
  parser_->eager(true);
  body_start_ = SteadyClock::now();
  const bool expects = http::token_list(message[http::field::expect]).exists("100-continue");
  if (!expects || parser_->is_done()) return read_body();
  out_ = "HTTP/1.1 100 Continue\r\n\r\n";
  arm(shared_.limits.write_timeout_ms);
  asio::async_write(stream_, asio::buffer(out_), [self = self()](ErrorCode error, size_t) {
    if (error) return self->body_failed(error);
    self->read_body();
  });
}

void Connection::read_body() {
  if (parser_->is_done()) {
    body_unread_ = false;
    return finish();
  }
  const uint64_t size = parser_->get().body().size();
  account(size);
  if (shared_.buffered > shared_.limits.max_buffered_bytes) {
    keep_alive_ = false;
    return send(exchange_->failed(BodyFailure::kOverloaded));
  }
  const int64_t earned_ms = static_cast<int64_t>(size * 1000 / shared_.limits.body_bytes_per_second);
  const auto spent = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - body_start_).count();
  arm(std::max<int64_t>(0, shared_.limits.body_grace_ms + earned_ms - spent));
  http::async_read_some(stream_, buffer_, *parser_, [self = self()](ErrorCode error, size_t) {
    if (error) return self->body_failed(error);
    self->read_body();
  });
}

void Connection::body_failed(ErrorCode error) {
  keep_alive_ = false;
  const bool gone = error == http::error::partial_message || error == http::error::end_of_stream;
  BodyFailure why = BodyFailure::kAborted;
  if (error == asio::error::operation_aborted && timed_out_) {
    why = BodyFailure::kTooSlow;
  } else if (error == http::error::body_limit) {
    why = BodyFailure::kTooLarge;
  } else if (is_http_error(error) && !gone) {
    why = BodyFailure::kMalformed;
  }
  const Reply reply = exchange_->failed(why);
  if (why == BodyFailure::kAborted) return close();
  send(reply);
}

void Connection::finish() {
  const std::optional<Reply> reply = exchange_->finish(parser_->get().body());
  if (reply && reply->connection == Reply::Connection::kReset) return reset();
  if (reply) return send(*reply);
  if (shared_.draining || is_gone()) {
    exchange_->failed(BodyFailure::kAborted);
    return close();
  }
  ++timer_generation_;
  timer_.expires_after(milliseconds(kPollIntervalMs));
  timer_.async_wait([self = self()](ErrorCode error) {
    if (!error) self->finish();
  });
}

void Connection::send(const Reply& reply) {
  if (shared_.draining) keep_alive_ = false;
  const bool skippable = body_unread_ && keep_alive_ && !parser_->chunked() &&
                         parser_->content_length_remaining().value_or(kDiscardAtMost + 1) <= kDiscardAtMost &&
                         parser_->get()[http::field::expect].empty();
  if (body_unread_ && !skippable) keep_alive_ = false;
  out_ = fmt::format("HTTP/1.1 {} {}\r\n", reply.status,
                     view(http::obsolete_reason(static_cast<http::status>(reply.status))));
  if (!reply.content_type.empty()) out_ += "Content-Type: " + reply.content_type + "\r\n";
  for (const auto& [name, value] : reply.fields) out_ += name + ": " + value + "\r\n";
  out_ += fmt::format("Content-Length: {}\r\n", reply.body.size());
  const bool http_1_0 = parser_ && parser_->is_header_done() && parser_->get().version() == 10;
  if (!keep_alive_) {
    out_ += "Connection: close\r\n";
  } else if (http_1_0) {
    out_ += "Connection: keep-alive\r\n";
  }
  out_ += "\r\n";
  if (!parser_ || parser_->get().method() != http::verb::head) out_ += reply.body;
  arm(shared_.limits.write_timeout_ms);
  asio::async_write(stream_, asio::buffer(out_), [self = self()](ErrorCode error, size_t) {
    if (error) return self->close();
    self->after_reply();
  });
}

void Connection::after_reply() {
  if (body_unread_ && keep_alive_) {
    parser_->body_limit(kDiscardAtMost);
    parser_->eager(true);
    body_start_ = SteadyClock::now();
    return discard_body();
  }
  if (body_unread_) {
    ErrorCode ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    arm(kLingerMs);
    return linger(0);
  }
  if (!keep_alive_) return close();
  wait_for_request();
}

// Reads the rest of a refused, small body away.
void Connection::discard_body() {
  if (parser_->is_done()) {
    body_unread_ = false;
    return wait_for_request();
  }
  parser_->get().body().clear();
  arm(kLingerMs);
  http::async_read_some(stream_, buffer_, *parser_, [self = self()](ErrorCode error, size_t) {
    if (error) return self->close();
    self->discard_body();
  });
}

// Closing with unread bytes resets the connection, and the sender may never see the reply: it gets some time to read
// it.
void Connection::linger(size_t discarded) {
  buffer_.clear();
  if (discarded > kLingerAtMost) return close();
  stream_.async_read_some(buffer_.prepare(kReadSize),
                          [self = self(), discarded](ErrorCode error, size_t size) {
                            if (error) return self->close();
                            self->linger(discarded + size);
                          });
}

void serve_http1(asio::io_context& loop, int descriptor, bool is_v6, Connections& shared) {
  ErrorCode error;
  Socket socket(loop);
  socket.assign(is_v6 ? tcp::v6() : tcp::v4(), descriptor, error);
  if (error) {
    ::close(descriptor);
    return;
  }
  const auto connection = std::make_shared<Connection>(std::move(socket), shared);
  asio::post(loop, [connection] { connection->start(); });
}

}  // namespace hopcheck::sink

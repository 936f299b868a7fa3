// One HTTP/2 connection: h2::ServerSession does the protocol, this file does the socket, time and the Exchanges.
// Reading and writing go on side by side; answers are small, and at most Limits::streams of them wait for the peer.
#include "h2/session.h"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include "sink/stream.h"

namespace hopcheck::sink {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr size_t kReadSize = 64 * 1024;
constexpr uint64_t kConnectionBodies = 2;  // of the greatest size, at once
constexpr int64_t kTickMs = 1000;          // how late a deadline may be noticed

h2::Limits session_limits(const Connections& shared) {
  h2::Limits out;
  out.field_bytes = shared.limits.max_header_bytes;
  out.body_bytes = shared.service.body_limit();
  out.connection_body_bytes = out.body_bytes * kConnectionBodies;
  return out;
}

std::vector<h2::Field> lower_case(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::vector<h2::Field> out;
  for (const auto& [name, value] : fields) {
    h2::Field field{name, value};
    for (char& c : field.name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    out.push_back(std::move(field));
  }
  return out;
}

h2::Response response_of(const Reply& reply) {
  h2::Response out{reply.status, {}, reply.body, lower_case(reply.trailers)};
  if (!reply.content_type.empty()) out.fields.push_back({"content-type", reply.content_type});
  for (h2::Field& field : lower_case(reply.fields)) out.fields.push_back(std::move(field));
  return out;
}

class H2Connection : public OpenConnection {
 public:
  H2Connection(Socket socket, Connections& shared)
      : OpenConnection(shared), stream_(std::move(socket), shared.tls_context()), timer_(stream_.get_executor()),
        session_(session_limits(shared), handlers()) {}

  void start() {
    tick();
    stream_.open(shared_, [self = self()](ErrorCode error) {
      if (error) return self->close();
      self->opened_ = true;
      self->write();
      self->read();
    });
  }
  void close_from_outside(Connections::Close how) override {
    asio::post(stream_.get_executor(), [self = self(), how] {
      if (how == Connections::Close::kNow) return self->close();
      self->leave();
    });
  }

 private:
  // A request between its head and its answer.
  struct Pending {
    std::unique_ptr<Exchange> exchange;
    SteadyClock::time_point since;
    std::string body;
    bool whole = false;  // finish() was called and had no answer yet
  };

  h2::ServerSession::Handlers handlers();
  std::optional<h2::Response> begin(const h2::Request& request);
  std::optional<h2::Response> lost(int32_t stream, h2::Lost why);
  void finish(int32_t stream);
  void read();
  void write();
  void tick();
  void look_at_deadlines();
  void refuse_bodies(BodyFailure why, SteadyClock::time_point now);
  bool late(int32_t stream, const Pending& pending, SteadyClock::time_point now) const;
  void leave();
  void close();
  void reset();
  bool idle() const { return session_.open_streams() == 0 && session_.unanswered() == 0 && out_.empty(); }
  std::shared_ptr<H2Connection> self() { return std::static_pointer_cast<H2Connection>(shared_from_this()); }

  Stream stream_;
  Timer timer_;
  h2::ServerSession session_;
  std::map<int32_t, Pending> pending_;
  std::array<char, kReadSize> in_;
  std::string out_;  // being written
  SteadyClock::time_point useful_ = SteadyClock::now();         // when a request began or ended
  SteadyClock::time_point write_deadline_ = SteadyClock::time_point::max();
  bool opened_ = false;   // TLS is through
  bool spoke_ = false;    // the peer has sent something
  bool leaving_ = false;
  bool broken_ = false;   // the peer broke the protocol: what says so is sent, then it ends
};

h2::ServerSession::Handlers H2Connection::handlers() {
  h2::ServerSession::Handlers out;
  out.on_head = [this](const h2::Request& request) { return begin(request); };
  out.on_lost = [this](int32_t stream, h2::Lost why) { return lost(stream, why); };
  out.on_request = [this](h2::Request request) {
    const auto found = pending_.find(request.stream);
    if (found == pending_.end()) return session_.respond(request.stream, {});
    found->second.body = std::move(request.body);
    found->second.whole = true;
    finish(request.stream);
    if (pending_.count(request.stream) > 0) tick();  // sooner than it is set to
  };
  return out;
}

std::optional<h2::Response> H2Connection::begin(const h2::Request& request) {
  useful_ = SteadyClock::now();
  RequestHead head;
  head.method = request.method;
  head.target = request.path;
  head.peer = stream_.peer();
  head.chunked = true;
  if (!request.authority.empty()) head.fields.emplace_back("host", request.authority);
  for (const h2::Field& field : request.fields) head.fields.emplace_back(field.name, field.value);
  if (head.fields.size() > shared_.limits.max_header_fields) return response_of(shared_.service.malformed(431));
  Pending pending;
  pending.exchange = shared_.service.begin(head);
  pending.since = useful_;
  if (const auto early = pending.exchange->early_reply()) return response_of(*early);
  pending_[request.stream] = std::move(pending);
  return std::nullopt;
}

std::optional<h2::Response> H2Connection::lost(int32_t stream, h2::Lost why) {
  const auto found = pending_.find(stream);
  if (found == pending_.end()) return std::nullopt;
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  useful_ = SteadyClock::now();
  const BodyFailure failure = why == h2::Lost::kTooLong   ? BodyFailure::kTooLarge
                              : why == h2::Lost::kTooMuch ? BodyFailure::kOverloaded
                                                          : BodyFailure::kAborted;
  h2::Response answer = response_of(pending.exchange->failed(failure));
  if (pending.whole) session_.respond(stream, {});  // of a stream that is gone
  return answer;
}

void H2Connection::finish(int32_t stream) {
  const auto found = pending_.find(stream);
  if (found == pending_.end()) return;
  const std::optional<Reply> reply = found->second.exchange->finish(found->second.body);
  if (!reply) return;
  pending_.erase(found);
  useful_ = SteadyClock::now();
  if (reply->connection == Reply::Connection::kReset) return reset();
  session_.respond(stream, response_of(*reply));
}

void H2Connection::read() {
  stream_.async_read_some(asio::buffer(in_), [self = self()](ErrorCode error, size_t size) {
    if (error) return self->close();
    self->spoke_ = true;
    if (!self->session_.receive({self->in_.data(), size})) self->broken_ = true;
    if (!self->stream_.socket().is_open()) return self->close();  // reset meanwhile
    self->account(self->session_.buffered_bytes());
    if (self->shared_.buffered > self->shared_.limits.max_buffered_bytes) {
      self->refuse_bodies(BodyFailure::kOverloaded, SteadyClock::time_point::max());
    }
    self->write();
    if (!self->broken_) self->read();
  });
}

void H2Connection::write() {
  if (!out_.empty() || !opened_ || !stream_.socket().is_open()) return;
  out_ = session_.output();
  if (out_.empty()) {
    if (broken_ || session_.finished() || (leaving_ && idle())) close();
    return;
  }
  write_deadline_ = SteadyClock::now() + milliseconds(shared_.limits.write_timeout_ms);
  asio::async_write(stream_, asio::buffer(out_), [self = self()](ErrorCode error, size_t) {
    self->out_.clear();
    self->write_deadline_ = SteadyClock::time_point::max();
    if (error) return self->close();
    self->write();
  });
}

// Asks what is waiting again, and looks at the deadlines.
void H2Connection::tick() {
  const bool waiting =
      std::any_of(pending_.begin(), pending_.end(), [](const auto& each) { return each.second.whole; });
  timer_.expires_after(milliseconds(waiting ? kPollIntervalMs : kTickMs));
  timer_.async_wait([self = self()](ErrorCode error) {
    if (error || !self->stream_.socket().is_open()) return;
    std::vector<int32_t> whole;
    for (const auto& [stream, pending] : self->pending_) {
      if (pending.whole) whole.push_back(stream);
    }
    for (const int32_t stream : whole) self->finish(stream);
    self->look_at_deadlines();
    self->write();
    if (self->stream_.socket().is_open()) self->tick();
  });
}

void H2Connection::look_at_deadlines() {
  const SteadyClock::time_point now = SteadyClock::now();
  if (now > write_deadline_) return close();
  const int64_t patience = spoke_ ? shared_.limits.idle_timeout_ms : shared_.limits.header_timeout_ms;
  if (pending_.empty() && now - useful_ > milliseconds(patience)) return leave();
  refuse_bodies(BodyFailure::kTooSlow, now);
}

bool H2Connection::late(int32_t stream, const Pending& pending, SteadyClock::time_point now) const {
  const uint64_t earned_ms = session_.buffered_bytes(stream) * 1000 / shared_.limits.body_bytes_per_second;
  return now - pending.since > milliseconds(shared_.limits.body_grace_ms + static_cast<int64_t>(earned_ms));
}

// Bodies that are late at `now`, and are not whole.
void H2Connection::refuse_bodies(BodyFailure why, SteadyClock::time_point now) {
  for (auto at = pending_.begin(); at != pending_.end();) {
    if (at->second.whole || !late(at->first, at->second, now)) {
      ++at;
      continue;
    }
    session_.refuse(at->first, response_of(at->second.exchange->failed(why)));
    at = pending_.erase(at);
  }
  account(session_.buffered_bytes());
}

// No new requests; those that are open go on.
void H2Connection::leave() {
  if (!opened_) return close();
  if (!leaving_) session_.go_away();
  leaving_ = true;
  write();
}

void H2Connection::close() {
  timer_.cancel();
  stream_.close();
  std::map<int32_t, Pending> open;
  open.swap(pending_);
  for (const auto& [stream, pending] : open) pending.exchange->failed(BodyFailure::kAborted);
}

void H2Connection::reset() {
  stream_.reset();
  close();
}

}  // namespace

void serve_http2(asio::io_context& loop, int descriptor, bool is_v6, Connections& shared) {
  ErrorCode error;
  Socket socket(loop);
  socket.assign(is_v6 ? tcp::v6() : tcp::v4(), descriptor, error);
  if (error) {
    ::close(descriptor);
    return;
  }
  const auto connection = std::make_shared<H2Connection>(std::move(socket), shared);
  asio::post(loop, [connection] { connection->start(); });
}

}  // namespace hopcheck::sink

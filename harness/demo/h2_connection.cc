#include "demo/h2_connection.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "h2/grpc.h"
#include "h2/session.h"

namespace hopcheck::demo {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLongest{3'600'000};
constexpr size_t kReadBytes = 16u << 10;

// Answers on their way from the pool to the connection's thread. Shared: an answer may come when the connection is
// gone.
class Mailbox {
 public:
  Mailbox() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Mailbox() {
    if (event_ >= 0) ::close(event_);
  }
  Mailbox(const Mailbox&) = delete;

  struct Letter {
    int32_t stream = 0;
    h2::Response response;
  };
  void post(Letter letter) {
    {
      const std::lock_guard lock(mutex_);
      letters_.push_back(std::move(letter));
    }
    const uint64_t one = 1;
    static_cast<void>(::write(event_, &one, sizeof one));  // full only when it is readable anyway
  }
  std::vector<Letter> take() {
    uint64_t ignored = 0;
    static_cast<void>(::read(event_, &ignored, sizeof ignored));
    const std::lock_guard lock(mutex_);
    return std::move(letters_);
  }
  int event() const { return event_; }

 private:
  const int event_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
};

// "" = none.
std::string content_type_of(const h2::Request& request) {
  for (const h2::Field& field : request.fields) {
    if (field.name == "content-type") return field.value;
  }
  return "";
}

HttpRequest to_http(h2::Request request) {
  HttpRequest out{std::move(request.method), std::move(request.path), {}, std::move(request.body)};
  out.headers.push_back({"host", std::move(request.authority)});
  for (h2::Field& field : request.fields) out.headers.push_back({std::move(field.name), std::move(field.value)});
  return out;
}

h2::Response answer_http(const H2Handler& handle, h2::Request request) {
  HttpResponse answer = handle(to_http(std::move(request)));
  return {answer.status, {{"content-type", std::move(answer.content_type)}}, std::move(answer.body), {}};
}

h2::Response answer_grpc(const H2Handler& handle, h2::Request request) {
  const Result<h2::GrpcMessage> message = h2::unary_message(request.body);
  if (!message) return h2::grpc_response(h2::kInvalidArgument, "", message.error().why);
  if (message->compressed) return h2::grpc_response(h2::kUnimplemented, "", "no compression is supported");
  if (request.method != "POST") return h2::grpc_response(h2::kInternal, "", "the method must be POST");
  request.body = std::string(message->bytes);
  const HttpResponse answer = handle(to_http(std::move(request)));
  const int code = h2::grpc_of_http(answer.status);
  if (code == h2::kOk) return h2::grpc_response(code, answer.body);
  return h2::grpc_response(code, "", "status " + std::to_string(answer.status));
}

h2::Response answer(const H2Handler& handle, h2::Request request) {
  try {
    if (h2::is_grpc(content_type_of(request))) return answer_grpc(handle, std::move(request));
    return answer_http(handle, std::move(request));
  } catch (const std::exception& error) {
    return {500, {{"content-type", "text/plain"}}, std::string("internal error: ") + error.what() + "\n", {}};
  }
}

class H2Loop {
 public:
  H2Loop(Connection& connection, const H2Service& service)
      : connection_(connection), service_(service), mailbox_(std::make_shared<Mailbox>()),
        session_({}, [this](h2::Request request) { hand_out(std::move(request)); }) {}

  void run() {
    if (mailbox_->event() < 0) return;
    progress_ = Clock::now();
    while (step()) {
    }
  }

 private:
  // False: the connection is over.
  bool step() {
    for (Mailbox::Letter& letter : mailbox_->take()) {
      session_.respond(letter.stream, std::move(letter.response));
      progress_ = Clock::now();
    }
    const bool busy = session_.open_streams() > 0 || session_.unanswered() > 0;
    if (service_.mark(busy) && !leaving_) {
      leaving_ = true;
      session_.go_away();
    }
    if (!flush()) return false;
    if (out_.empty() && (broken_ || session_.finished())) return false;
    // What was buffered while looking for the preface comes before what is still in the socket.
    if (connection_.buffered()) return read_some();
    pollfd entries[2] = {{connection_.socket(), static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), 0},
                         {mailbox_->event(), POLLIN, 0}};
    const milliseconds left = limit() - std::chrono::duration_cast<milliseconds>(Clock::now() - progress_);
    if (left.count() <= 0) return false;
    const int ready = ::poll(entries, 2, static_cast<int>(left.count()));
    if (ready < 0) return errno == EINTR;
    if (ready == 0) return false;  // too slow, or idle for too long
    if ((entries[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) return read_some();
    return true;
  }

  // How long nothing may happen now. While only our own handlers work the peer owes nothing.
  milliseconds limit() const {
    if (!out_.empty()) return milliseconds(service_.stall_ms);
    if (session_.unanswered() > 0) return kLongest;
    return milliseconds(session_.open_streams() > 0 ? service_.stall_ms : service_.idle_ms);
  }

  bool read_some() {
    std::array<char, kReadBytes> buffer;
    const ssize_t count = connection_.read(buffer.data(), buffer.size());
    if (count <= 0) return false;
    progress_ = Clock::now();
    if (!session_.receive({buffer.data(), static_cast<size_t>(count)})) broken_ = true;
    return true;
  }

  // Writes as much as the socket takes without waiting; false when it is closed.
  bool flush() {
    for (;;) {
      if (out_.empty()) out_ = session_.output();
      if (out_.empty()) return true;
      const ssize_t count = ::send(connection_.socket(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
      out_.erase(0, static_cast<size_t>(count));
      progress_ = Clock::now();
    }
  }

  void hand_out(h2::Request request) {
    auto shared = std::make_shared<h2::Request>(std::move(request));
    // The connection may end before the request does: nothing of it is kept.
    service_.pool.enqueue([mailbox = mailbox_, shared, handle = service_.handle] {
      const int32_t stream = shared->stream;
      mailbox->post({stream, answer(handle, std::move(*shared))});
    });
  }

  Connection& connection_;
  const H2Service& service_;
  const std::shared_ptr<Mailbox> mailbox_;
  h2::ServerSession session_;
  std::string out_;  // taken from the session, not yet taken by the socket; about 64 KiB at most
  Clock::time_point progress_;
  bool leaving_ = false;
  bool broken_ = false;
};

}  // namespace

void serve_h2(Connection& connection, const H2Service& service) { H2Loop(connection, service).run(); }

}  // namespace hopcheck::demo

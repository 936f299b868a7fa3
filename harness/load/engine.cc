#include "load/engine.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <map>
#include <utility>

#include "base/clock.h"
#include "load/address_ring.h"
#include "load/connection.h"
#include "load/target.h"
#include "plan/intent.h"

namespace hopcheck::load {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int64_t kMilli = 1'000'000;
constexpr int64_t kSpin = 200'000;            // a timer may wake this late; the rest is polled
constexpr int64_t kTick = 10 * kMilli;        // how finely deadlines and the stop flag are watched
constexpr int64_t kStopGrace = 2000 * kMilli;  // for requests in flight
constexpr int64_t kOpenAhead = 2000 * kMilli;  // longest wait for the first connections
constexpr size_t kOpenAtOnce = 4;  // some servers' accept queues hold five, and a full one costs a second
constexpr int kConnectAttempts = 2;

int64_t now_nanos() { return system_clock().monotonic_nanos(); }

// One drive: its own io_context, run by hand so that the pacing stands in one loop.
class Drive {
 public:
  Drive(const LoadPlan& plan, Target target, std::vector<Address> addresses, const OutcomeSink& sink,
        const std::atomic<bool>& stop)
      : plan_(plan), target_(std::move(target)), addresses_(std::move(addresses)), sink_(sink), stop_(stop),
        cipher_(plan.tag), due_timer_(io_), tick_timer_(io_), ring_(addresses_.size()) {}

  DriveStats run();

 private:
  struct Request {
    Intent intent;
    int64_t due = 0, sent = 0;  // monotonic
    int attempts = 0;           // connections tried
    std::string text;
  };
  // A connection and the request bound to it.
  struct Lane {
    std::unique_ptr<Connection> connection;
    enum class State { kOpening, kIdle, kConnecting, kWaiting } state = State::kOpening;
    size_t address = 0;    // index into addresses_
    Request request;       // of kConnecting and kWaiting
    int64_t deadline = 0;  // monotonic
  };

  void open_ahead();
  void loop();
  void tick();
  void prepare_next();
  bool dispatch(int64_t now);
  void place(Request request);
  bool send_on_idle(Request& request);
  bool send(Lane& lane, Request& request);
  void open(Lane::State state, Request request);
  void on_event(uint64_t id, Connection::Event event);
  void on_connected(uint64_t id, Lane& lane);
  void on_connect_failed(uint64_t id, Lane& lane);
  void drop(uint64_t id);
  void finish(const Request& request, OutcomeKind kind, int status);
  void expire(int64_t now);
  void begin_stop();
  bool full() const { return in_flight_ >= plan_.max_in_flight; }
  int64_t wall(int64_t monotonic) const { return monotonic == 0 ? 0 : monotonic + wall_offset_; }

  const LoadPlan& plan_;
  const Target target_;
  const std::vector<Address> addresses_;
  const OutcomeSink& sink_;
  const std::atomic<bool>& stop_;
  const plan::TagCipher cipher_;

  asio::io_context io_{1};
  asio::steady_timer due_timer_, tick_timer_;
  std::map<uint64_t, Lane> lanes_;  // after io_: connections close before it goes
  std::deque<uint64_t> idle_;       // taken in turn, so that all stay in use and all addresses get their share
  uint64_t next_lane_ = 0;
  AddressRing ring_;
  int in_flight_ = 0;  // lanes that have a request
  size_t opening_ = 0;

  uint64_t next_index_ = 0;  // first request not yet taken
  bool prepared_ = false;
  Request next_;
  bool due_timer_armed_ = false;
  bool stopping_ = false;
  uint64_t finished_ = 0;
  int64_t start_ = 0, wall_offset_ = 0;
  int64_t last_full_ = 0;  // when a place last became free among max_in_flight
  DriveStats stats_;
};

DriveStats Drive::run() {
  open_ahead();
  start_ = now_nanos() + kMilli;
  wall_offset_ = system_clock().wall_unix_nanos() - now_nanos();
  loop();
  lanes_.clear();
  return stats_;
}

// Connections are made before the first request is due, so that connecting is not part of anybody's latency.
void Drive::open_ahead() {
  const double wanted = std::min({static_cast<double>(plan_.max_in_flight), std::floor(plan_.rate * 0.2) + 4,
                                  static_cast<double>(plan_.count)});
  int left = static_cast<int>(wanted);
  const int64_t deadline = now_nanos() + kOpenAhead;
  while ((left > 0 || opening_ > 0) && now_nanos() < deadline && !stop_) {
    for (; left > 0 && opening_ < kOpenAtOnce; --left) open(Lane::State::kOpening, Request{});
    io_.run_one_for(std::chrono::nanoseconds(kTick));
    io_.restart();  // it stops itself when nothing is left to wait for
  }
}

void Drive::loop() {
  tick();
  while (finished_ < plan_.count) {
    prepare_next();
    const int64_t now = now_nanos();
    if (dispatch(now)) continue;
    if (prepared_ && next_.due > now) {
      if (next_.due - now <= kSpin) {
        io_.poll_one();
        continue;
      }
      if (!due_timer_armed_) {
        due_timer_armed_ = true;
        due_timer_.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next_.due - kSpin)));
        due_timer_.async_wait([this](const error_code&) { due_timer_armed_ = false; });
      }
    }
    // Here the next request is not due, or waits for a place, or there is none; the tick ends this wait at the latest.
    io_.run_one();
  }
}

void Drive::tick() {
  if (stop_ && !stopping_) begin_stop();
  expire(now_nanos());
  tick_timer_.expires_after(std::chrono::nanoseconds(kTick));
  tick_timer_.async_wait([this](const error_code& failure) {
    if (!failure) tick();
  });
}

// Ciphering and formatting happen while there is time, not when the request is due.
void Drive::prepare_next() {
  if (prepared_ || next_index_ >= plan_.count) return;
  next_ = Request{};
  next_.intent = plan::intent_at(plan_, cipher_, next_index_);
  next_.due = start_ + next_.intent.due_offset_nanos;
  next_.text = request_text(plan_, target_, cipher_, next_.intent);
  prepared_ = true;
}

// At most one request per call: between two the loop may look at the sockets. True: there was one to send.
bool Drive::dispatch(int64_t now) {
  if (!prepared_ || next_.due > now || full()) return false;
  if (next_.due < last_full_) ++stats_.overflowed;
  prepared_ = false;
  ++next_index_;
  place(std::move(next_));
  io_.poll();
  return true;
}

void Drive::place(Request request) {
  if (request.attempts == 0 && send_on_idle(request)) return;
  open(Lane::State::kConnecting, std::move(request));
}

bool Drive::send_on_idle(Request& request) {
  while (!idle_.empty()) {
    const uint64_t id = idle_.front();
    idle_.pop_front();
    Lane& lane = lanes_.at(id);
    if (lane.connection->usable() && send(lane, request)) return true;
    ++stats_.idle_closed;
    lanes_.erase(id);
  }
  return false;
}

// True: the request is the lane's now, and never leaves it again.
bool Drive::send(Lane& lane, Request& request) {
  const bool head = plan_.journeys[request.intent.journey].method == "HEAD";
  request.sent = now_nanos();
  if (lane.connection->send(request.text, head ? ResponseReader::Body::kNone : ResponseReader::Body::kExpected) ==
      Connection::Send::kNothingSent) {
    request.sent = 0;
    return false;
  }
  lane.state = Lane::State::kWaiting;
  lane.deadline = request.sent + (stopping_ ? std::min(kStopGrace, plan_.timeout_nanos) : plan_.timeout_nanos);
  lane.request = std::move(request);
  ++in_flight_;
  return true;
}

void Drive::open(Lane::State state, Request request) {
  const uint64_t id = next_lane_++;
  Lane& lane = lanes_[id];
  lane.state = state;
  lane.connection = std::make_unique<Connection>(io_, [this, id](Connection::Event event) { on_event(id, event); });
  if (state == Lane::State::kOpening) {
    ++opening_;
  } else {
    ++request.attempts;
    lane.deadline = request.due + plan_.timeout_nanos;
    ++in_flight_;
  }
  lane.request = std::move(request);
  lane.address = ring_.next();
  lane.connection->connect(addresses_[lane.address]);
}

void Drive::on_event(uint64_t id, Connection::Event event) {
  Lane& lane = lanes_.at(id);
  switch (event) {
    case Connection::Event::kConnected: return on_connected(id, lane);
    case Connection::Event::kConnectFailed: return on_connect_failed(id, lane);
    case Connection::Event::kIdleClosed:
      ++stats_.idle_closed;
      idle_.erase(std::remove(idle_.begin(), idle_.end(), id), idle_.end());
      return drop(id);
    case Connection::Event::kBroken:
      finish(lane.request, OutcomeKind::kIndeterminate, 0);
      return drop(id);
    case Connection::Event::kAnswered: break;
  }
  const int status = lane.connection->status();
  finish(lane.request, status < 400 ? OutcomeKind::kOk : OutcomeKind::kFailed, status);
  if (!lane.connection->reusable()) return drop(id);
  --in_flight_;
  lane.state = Lane::State::kIdle;
  lane.request = Request{};
  idle_.push_back(id);
}

void Drive::on_connected(uint64_t id, Lane& lane) {
  ++stats_.connections;
  ring_.connected(lane.address);
  if (lane.state == Lane::State::kOpening) {
    --opening_;
    lane.state = Lane::State::kIdle;
    idle_.push_back(id);
    return;
  }
  Request request = std::move(lane.request);
  --in_flight_;
  lane.state = Lane::State::kIdle;
  if (send(lane, request)) return;
  lanes_.erase(id);
  if (request.attempts < kConnectAttempts) return place(std::move(request));
  finish(request, OutcomeKind::kUnsent, 0);
}

void Drive::on_connect_failed(uint64_t id, Lane& lane) {
  ++stats_.connect_failures;
  ring_.refused(lane.address);
  if (stats_.connect_error.empty()) stats_.connect_error = lane.connection->error();
  if (lane.state == Lane::State::kOpening || lane.request.attempts >= kConnectAttempts) {
    if (lane.state != Lane::State::kOpening) finish(lane.request, OutcomeKind::kUnsent, 0);
    return drop(id);
  }
  Request request = std::move(lane.request);
  drop(id);
  place(std::move(request));
}

// Removes a lane whatever its state; its request, if any, was reported or taken away before.
void Drive::drop(uint64_t id) {
  const auto found = lanes_.find(id);
  const Lane::State state = found->second.state;
  if (state == Lane::State::kOpening) --opening_;
  if (state == Lane::State::kConnecting || state == Lane::State::kWaiting) {
    if (full()) last_full_ = now_nanos();
    --in_flight_;
  }
  lanes_.erase(found);
}

void Drive::finish(const Request& request, OutcomeKind kind, int status) {
  const int64_t now = now_nanos();
  if (full()) last_full_ = now;
  Outcome outcome;
  outcome.n = request.intent.n;
  outcome.due_unix_nanos = wall(request.due);
  outcome.sent_unix_nanos = wall(request.sent);
  outcome.done_unix_nanos = wall(now);
  outcome.kind = kind;
  outcome.status = static_cast<uint16_t>(status);
  ++finished_;
  sink_(outcome);
}

void Drive::expire(int64_t now) {
  for (auto it = lanes_.begin(); it != lanes_.end();) {
    const uint64_t id = it->first;
    const Lane& lane = it->second;
    ++it;
    const bool waiting = lane.state == Lane::State::kWaiting;
    if ((!waiting && lane.state != Lane::State::kConnecting) || lane.deadline > now) continue;
    finish(lane.request, waiting ? OutcomeKind::kIndeterminate : OutcomeKind::kUnsent, 0);
    drop(id);
  }
  // Requests that waited for a place longer than anybody would wait for an answer.
  for (prepare_next(); prepared_ && full() && next_.due + plan_.timeout_nanos <= now; prepare_next()) {
    ++stats_.overflowed;
    prepared_ = false;
    ++next_index_;
    finish(next_, OutcomeKind::kUnsent, 0);
  }
}

void Drive::begin_stop() {
  stopping_ = true;
  const int64_t now = now_nanos();
  for (auto& [id, lane] : lanes_) {
    if (lane.state == Lane::State::kConnecting) lane.deadline = now;
    if (lane.state == Lane::State::kWaiting) lane.deadline = std::min(lane.deadline, now + kStopGrace);
  }
  LoadPlan bare = plan_;  // without ids: only n and the due time are wanted, of many requests perhaps
  bare.traceparent = TraceparentMode::kNone;
  prepared_ = false;
  for (; next_index_ < plan_.count; ++next_index_) {
    Request request;
    request.intent = plan::intent_at(bare, cipher_, next_index_);
    request.due = start_ + request.intent.due_offset_nanos;
    finish(request, OutcomeKind::kUnsent, 0);
  }
}

}  // namespace

Result<DriveStats> run_with_stats(const LoadPlan& plan, const OutcomeSink& sink, const std::atomic<bool>& stop,
                                  const std::string& source_ip) {
  Result<Target> target = check_plan(plan);
  if (!target) return tl::unexpected<Error>(target.error());
  if (plan.count == 0) return DriveStats{};
  Result<std::vector<Address>> addresses = resolve(target->host, target->port);
  if (!addresses) return tl::unexpected<Error>(addresses.error());
  for (Address& address : *addresses) address.source_ip = source_ip;
  try {
    return Drive(plan, std::move(*target), std::move(*addresses), sink, stop).run();
  } catch (const std::exception& failure) {
    return fail(ErrorKind::kInternal, "load engine failed", failure.what());
  }
}

Result<void> run(const LoadPlan& plan, const OutcomeSink& sink, const std::atomic<bool>& stop,
                 const std::string& source_ip) {
  const Result<DriveStats> stats = run_with_stats(plan, sink, stop, source_ip);
  if (!stats) return tl::unexpected<Error>(stats.error());
  return {};
}

}  // namespace hopcheck::load

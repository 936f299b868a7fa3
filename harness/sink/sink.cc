#include "sink/sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/ids.h"
#include "sink/control.h"
#include "sink/grpc_receiver.h"
#include "sink/receiver.h"
#include "store/capture_format.h"
#include "store/capture_writer.h"

namespace hopcheck::sink {

namespace {

constexpr int kStopPollMs = 50;
constexpr int64_t kLastPiecesMs = 500;  // for who follows the capture, to see it sealed

// Whole or not at all: written beside it, then renamed.
Result<void> write_file(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  const bool written = fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int number = errno;
  if (fd >= 0) close(fd);
  if (!written || rename(beside.c_str(), path.c_str()) != 0) {
    return fail(ErrorKind::kEnvironment, "cannot write " + path, std::strerror(written ? errno : number));
  }
  return {};
}

bool is_loopback(const std::string& address) {
  return address.rfind("127.", 0) == 0 || address.rfind("[::1]", 0) == 0 || address.rfind("localhost:", 0) == 0 ||
         address.rfind(":", 0) == 0;
}

std::string random_instance() {
  uint8_t bytes[8] = {};
  RAND_bytes(bytes, sizeof bytes);
  return to_hex(bytes, sizeof bytes);
}

}  // namespace

struct Sink::Parts {
  SinkOptions options;
  Tally tally;
  std::unique_ptr<store::CaptureWriter> writer;
  std::unique_ptr<CaptureState> capture;
  std::unique_ptr<Intake> intake;
  std::unique_ptr<HttpReceiver> http_receiver;
  std::unique_ptr<GrpcReceiver> grpc_receiver;
  std::unique_ptr<Control> control;
  std::unique_ptr<HttpServer> control_server;
  std::unique_ptr<HttpServer> http_server;
  std::unique_ptr<HttpServer> grpc_server;  // destroyed first

  Result<void> open();
  Result<void> listen();
  Result<void> listen_control();
  Result<void> announce() const;
  void recount(const store::Frame& frame);
  std::string path(const char* name) const { return options.out + "/" + name; }
};

// A frame of the interrupted sink before us counts as if we had received it.
void Sink::Parts::recount(const store::Frame& frame) {
  if (frame.status == store::kStatusAborted) return tally.aborted(frame.transport);
  if (frame.status != 200) return tally.refused(frame.transport, fmt::format("before-restart-{}", frame.status));
  Arena arena;
  std::vector<Span> spans;
  const auto notes = store::decode_frame(frame, arena, spans);
  tally.rejected(store::rejected_spans(frame));
  tally.accepted(frame.transport, spans, notes ? *notes : otlp::DecodeNotes{}, frame.body.size());
}

Result<void> Sink::Parts::open() {
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) return fail(ErrorKind::kEnvironment, "cannot make directory " + options.out, error.message());
  auto opened = store::open_capture(path("capture.hcl"), options.run_id,
                                    static_cast<uint64_t>(system_clock().wall_unix_nanos()),
                                    [this](const store::Frame& frame) { recount(frame); });
  if (!opened) return tl::unexpected<Error>(opened.error());
  writer = std::move(opened->writer);
  if (options.log && opened->recovered_frames + opened->cut_bytes > 0) {
    options.log(fmt::format("continuing {}: {} frames kept, a torn tail of {} bytes cut", path("capture.hcl"),
                            opened->recovered_frames, opened->cut_bytes));
  }
  capture = std::make_unique<CaptureState>(*writer, path("capture.hcl"));
  return {};
}

Result<void> Sink::Parts::listen() {
  ReceiverOptions receive;
  receive.max_body_bytes = options.max_body_bytes;
  receive.expect_header = options.expect_header;
  receive.expect_value = options.expect_value;
  receive.log = options.log;
  intake = std::make_unique<Intake>(receive, *writer, tally, system_clock());
  intake->answers.play(options.answers);
  http_receiver = std::make_unique<HttpReceiver>(*intake);
  auto http =
      HttpServer::listen({options.http, Protocol::kHttp1, options.tls}, *http_receiver, options.limits, options.log);
  if (!http) return tl::unexpected<Error>(http.error());
  http_server = std::move(*http);
  if (options.grpc.empty()) return {};
  grpc_receiver = std::make_unique<GrpcReceiver>(*intake);
  auto grpc =
      HttpServer::listen({options.grpc, Protocol::kHttp2, options.tls}, *grpc_receiver, options.limits, options.log);
  if (!grpc) return tl::unexpected<Error>(grpc.error());
  grpc_server = std::move(*grpc);
  return {};
}

Result<void> Sink::Parts::listen_control() {
  if (options.control.empty()) return {};
  if (!options.control_token.required() && !is_loopback(options.control)) {
    return fail(ErrorKind::kUsage, "the control API on " + options.control + " needs a token",
                "whoever reaches that port can read the capture and end it",
                "set HOPCHECK_CONTROL_TOKEN or --control-token-file, or listen on 127.0.0.1");
  }
  control = std::make_unique<Control>(*capture, tally, intake->answers, options.control_token, random_instance());
  HttpLimits limits = options.limits;
  limits.threads = 1;
  auto server = HttpServer::listen({options.control, Protocol::kHttp1, {}}, *control, limits, options.log);
  if (!server) return tl::unexpected<Error>(server.error());
  control_server = std::move(*server);
  return {};
}

Result<void> Sink::Parts::announce() const {
  nlohmann::ordered_json out;
  out["http"] = http_server->address();
  if (grpc_server) out["grpc"] = grpc_server->address();
  if (control_server) out["control"] = control_server->address();
  out["pid"] = getpid();
  return write_file(path("sink.json"), out.dump() + "\n");
}

Sink::Sink(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Sink::~Sink() = default;

Result<std::unique_ptr<Sink>> Sink::start(SinkOptions options) {
  auto parts = std::make_unique<Parts>();
  parts->options = std::move(options);
  Parts& p = *parts;
  auto done = p.open().and_then([&] { return p.listen(); }).and_then([&] { return p.listen_control(); }).and_then([&] {
    return p.announce();
  });
  if (!done) return tl::unexpected<Error>(done.error());
  return std::unique_ptr<Sink>(new Sink(std::move(parts)));
}

uint16_t Sink::http_port() const { return parts_->http_server->port(); }
uint16_t Sink::grpc_port() const { return parts_->grpc_server ? parts_->grpc_server->port() : uint16_t{0}; }
uint16_t Sink::control_port() const { return parts_->control_server ? parts_->control_server->port() : uint16_t{0}; }
std::string Sink::capture_path() const { return parts_->path("capture.hcl"); }
TallyCounts Sink::counts() const { return parts_->tally.counts(); }

Result<TallyCounts> Sink::stop() {
  // One after the other: each waits only for what is under way on it.
  parts_->http_server->drain(parts_->options.drain_ms);
  if (parts_->grpc_server) parts_->grpc_server->drain(parts_->options.drain_ms);
  const auto sealed = parts_->capture->seal();
  if (parts_->control_server) parts_->control_server->drain(kLastPiecesMs);
  if (!sealed) return tl::unexpected<Error>(sealed.error());
  return parts_->tally.counts();
}

Result<TallyCounts> run_sink(SinkOptions options, const std::atomic<bool>& stop) {
  auto sink = Sink::start(std::move(options));
  if (!sink) return tl::unexpected<Error>(sink.error());
  while (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(kStopPollMs));
  return (*sink)->stop();
}

}  // namespace hopcheck::sink

// The server's end of one HTTP/2 connection (RFC 9113) without any I/O: bytes in, whole requests out; answers in, bytes
// out. nghttp2 does frames, HPACK and flow control; this class adds what a server owes itself: limits on everything a
// peer can make it keep, and whole requests instead of frames. One thread; whoever owns it does sockets and time.
//
// Bounds: `Limits`. A request beyond one of them is answered (413, 431, or gRPC's RESOURCE_EXHAUSTED) or its stream is
// reset; only what breaks the protocol ends the connection. Bodies of requests are counted over all streams.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hopcheck::h2 {

// What an HTTP/2 connection without TLS or Upgrade begins with (RFC 9113 section 3.4); no HTTP/1.1 request does.
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct Field {
  std::string name;  // lower case
  std::string value;
};

struct Request {
  int32_t stream = 0;
  std::string method, scheme, authority, path;
  std::vector<Field> fields;  // without the pseudo fields; trailers behind them
  std::string body;
};

struct Response {
  int status = 200;
  std::vector<Field> fields;
  std::string body;
  std::vector<Field> trailers;
};

struct Limits {
  uint32_t streams = 128;                    // open at once, told to the peer
  size_t unanswered = 256;                   // handed out and not answered, streams that the peer reset included
  size_t field_bytes = 64u << 10;            // names and values of one request
  size_t body_bytes = 4u << 20;              // of one request
  size_t connection_body_bytes = 32u << 20;  // of all requests that are not answered
};

struct Counters {
  uint64_t requests = 0;  // handed out
  uint64_t refused = 0;   // beyond a limit
  uint64_t resets = 0;    // streams that the peer reset
};

// Why a request did not become one that is answered in the usual way.
enum class Lost : uint8_t { kReset, kTooLong, kTooMuch };  // by the peer; one body; all bodies of the connection

class ServerSession {
 public:
  using OnRequest = std::function<void(Request)>;  // called from receive(); may call respond() at once
  // All are called from receive(). Those besides on_request may be left empty.
  struct Handlers {
    OnRequest on_request;
    // The fields are there, the body is not: an answer ends the request here, and what comes of its body is dropped.
    std::function<std::optional<Response>(const Request&)> on_head;
    // A request that on_head let pass will not be handed out, or its stream is gone before it was answered (respond()
    // is then still owed, when it was handed out). Beyond a limit, an answer may take the place of the usual one.
    std::function<std::optional<Response>(int32_t stream, Lost why)> on_lost;
  };

  ServerSession(const Limits& limits, OnRequest on_request);
  ServerSession(const Limits& limits, Handlers handlers);
  ~ServerSession();
  ServerSession(const ServerSession&) = delete;

  // Bytes of the peer, the preface included. Error kEvidence: the peer broke the protocol; output() then holds the
  // GOAWAY that says so, and nothing more is taken.
  Result<void> receive(std::string_view bytes);
  // Exactly once for each request handed out, also when its stream is gone meanwhile (the answer is then dropped).
  void respond(int32_t stream, Response response);
  // Ends a request that is not handed out yet; the rest of its body is dropped.
  void refuse(int32_t stream, Response response);
  // No further streams; those that are open go on.
  void go_away();
  // The next bytes for the peer, at most about `most`; empty when there is nothing to send now.
  std::string output(size_t most = 64u << 10);

  bool finished() const;       // nothing will ever be read or sent again
  size_t open_streams() const;
  size_t unanswered() const;
  size_t buffered_bytes() const;                // of bodies that are not answered
  size_t buffered_bytes(int32_t stream) const;  // of one that is not handed out yet
  const Counters& counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopcheck::h2

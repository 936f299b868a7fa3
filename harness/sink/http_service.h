// What an HTTP server of ours serves, without sockets: the server (http_server.h) reads heads and bodies within the
// limits given here and sends the replies, in HTTP/1.1 or HTTP/2; a Service decides. One instance serves all
// connections; begin() and malformed() may be called from several threads at once, an Exchange from one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hopcheck::sink {

struct RequestHead {
  std::string_view method, target, peer;  // peer: address without port
  std::vector<std::pair<std::string_view, std::string_view>> fields;  // as received, names in any case
  std::optional<uint64_t> content_length;
  bool chunked = false;  // the body ends where its framing says; so it is in HTTP/2 when no length is given

  // Value of the only field of that name (any case); nullopt when absent or repeated.
  std::optional<std::string_view> field(std::string_view name) const;
  size_t count(std::string_view name) const;
};

struct Reply {
  int status = 200;
  std::string content_type;
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;  // further ones: Allow, Retry-After …
  std::vector<std::pair<std::string, std::string>> trailers;  // HTTP/2 only, where they are gRPC's outcome
  enum class Connection : uint8_t { kGoesOn, kReset } connection = Connection::kGoesOn;  // kReset: instead of a reply
};

// Why a body that was admitted did not arrive whole.
enum class BodyFailure : uint8_t { kTooLarge, kMalformed, kTooSlow, kOverloaded, kAborted };

// One request between its head and its reply.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // A reply to give without reading the body.
  virtual std::optional<Reply> early_reply() { return std::nullopt; }
  // The whole body, at most body_limit() bytes. nullopt: not yet, call again in kPollInterval with the same body; or
  // failed(kAborted), when the sender has gone meanwhile.
  virtual std::optional<Reply> finish(const std::string& body) = 0;
  // For kAborted nobody reads the reply.
  virtual Reply failed(BodyFailure why) = 0;
};
inline constexpr int kPollIntervalMs = 25;

class Service {
 public:
  virtual ~Service() = default;
  virtual uint64_t body_limit() const = 0;
  // Views of the head are valid during the call only.
  virtual std::unique_ptr<Exchange> begin(const RequestHead& head) = 0;
  // A connection spoke something else than its port does, or failed its TLS handshake.
  virtual void mismatched(const std::string& what) { static_cast<void>(what); }
  // The bytes were no acceptable HTTP head: status 400, 408 or 431.
  virtual Reply malformed(int status) = 0;
};

bool equal_ignoring_case(std::string_view a, std::string_view b);
// Path of an origin-form or absolute-form request target, without query; query without '?'.
std::pair<std::string_view, std::string_view> path_and_query(std::string_view target);

}  // namespace hopcheck::sink

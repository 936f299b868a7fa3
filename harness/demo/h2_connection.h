// One accepted connection that speaks HTTP/2: an h2::ServerSession on a socket. The connection's thread owns the
// session and does all reading and writing; each request is handled on a thread of the pool, and its answer comes back
// through a mailbox whose eventfd wakes the connection's thread. A unary gRPC request is handed on as its one message,
// and its answer's HTTP status becomes a gRPC one (h2/grpc.h).
#pragma once

#include <functional>
#include <string>

#include "demo/connection.h"
#include "demo/http_types.h"
#include "demo/thread_pool.h"

namespace hopcheck::demo {

using H2Handler = std::function<HttpResponse(const HttpRequest&)>;

struct H2Service {
  H2Handler handle;                                        // on threads of `pool`, concurrently
  GrowingPool& pool;                                       // outlives every connection; runs what is queued to its end
  // Tells the server that requests are under way or that there are none; true: the server is closing.
  std::function<bool(bool busy)> mark;
  int idle_ms = 0;   // without requests
  int stall_ms = 0;  // without a byte while the peer owes something: the rest of a request, or room for an answer
};

// Serves until either side ends the connection. The preface is still unread.
void serve_h2(Connection& connection, const H2Service& service);

}  // namespace hopcheck::demo

// What the load agent answers, without any socket: request in, answer out. Thread-safe as far as Drives is.
#pragma once

#include <string>
#include <string_view>

#include "load/drives.h"

namespace hopcheck::load {

struct ControlRequest {
  std::string_view method, target, token, body;
};
struct ControlAnswer {
  int status = 200;
  std::string body;  // JSON; errors are {"error":"what: why"}
};

// GET  /healthz                      200, no token asked
// POST /drive   LoadPlan as JSON     202 started, 200 known already, 400 bad plan, 409 another drive runs
// GET  /outcomes?first_n=N&from=I    200 a page (plan/load_plan_json.h), 400 bad query, 404 no such drive, 502 it
// failed POST /stop                         202, the running drive ends within two seconds 401 without the token, 404
// any other path, 405 any other method.
ControlAnswer answer(Drives& drives, std::string_view token, const ControlRequest& request);

}  // namespace hopcheck::load

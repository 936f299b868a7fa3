#include "demo/redis_client.h"

#include <hiredis/hiredis.h>

#include <charconv>
#include <memory>

#include "base/text.h"

namespace hopcheck::demo {
namespace {

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;
using Reply = std::unique_ptr<redisReply, FreeReply>;

HttpAnswer failed(const std::string& why) {
  HttpAnswer out;
  out.error = why;
  return out;
}

// A null reply says that the connection is of no use any more.
std::string problem_of(const Context& context, const Reply& reply) {
  if (!reply) return context->errstr;
  return reply->type == REDIS_REPLY_ERROR ? std::string(reply->str, reply->len) : "";
}

uint16_t port_of(std::string_view text) {
  uint16_t port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port;
}

}  // namespace

Destination destination_of(const HttpRoute& route, const std::string& host, uint16_t port) {
  for (const std::string& rule : route.connect_to) {
    const auto parts = split(rule, ':');
    if (parts.size() != 4) continue;
    if (!parts[0].empty() && parts[0] != host) continue;
    if (!parts[1].empty() && port_of(parts[1]) != port) continue;
    return {parts[2].empty() ? host : std::string(parts[2]), parts[3].empty() ? port : port_of(parts[3])};
  }
  return {host, port};
}

HttpAnswer redis_set_and_get(const RedisCall& call, const HttpRoute& route) {
  const Destination to = destination_of(route, call.host, call.port);
  const timeval limit{call.timeout_ms / 1000, (call.timeout_ms % 1000) * 1000};
  const Context context(redisConnectWithTimeout(to.host.c_str(), to.port, limit));
  if (!context) return failed("hiredis gave no connection");
  if (context->err != 0) return failed(context->errstr);
  if (redisSetTimeout(context.get(), limit) != REDIS_OK) return failed("the time limit could not be set");
  const Reply set(static_cast<redisReply*>(redisCommand(context.get(), "SET %b %b EX 60", call.key.data(),
                                                        call.key.size(), call.value.data(), call.value.size())));
  if (const std::string problem = problem_of(context, set); !problem.empty()) return failed("SET: " + problem);
  const Reply get(
      static_cast<redisReply*>(redisCommand(context.get(), "GET %b", call.key.data(), call.key.size())));
  if (const std::string problem = problem_of(context, get); !problem.empty()) return failed("GET: " + problem);
  if (get->type != REDIS_REPLY_STRING || std::string(get->str, get->len) != call.value) {
    return failed("GET gave another value than SET had");
  }
  HttpAnswer out;
  out.status = 200;
  return out;
}

}  // namespace hopcheck::demo

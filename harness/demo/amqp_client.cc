#include "demo/amqp_client.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <memory>

#include "demo/redis_client.h"

namespace hopcheck::demo {
namespace {

constexpr amqp_channel_t kChannel = 1;
constexpr int kFrameMax = 131'072;  // the broker's own

struct Destroy {
  void operator()(amqp_connection_state_t_* connection) const { amqp_destroy_connection(connection); }
};
using Connection = std::unique_ptr<amqp_connection_state_t_, Destroy>;

HttpAnswer failed(const std::string& why) {
  HttpAnswer out;
  out.error = why;
  return out;
}

std::string text_of(const amqp_bytes_t& bytes) {
  return bytes.len == 0 ? "" : std::string(static_cast<const char*>(bytes.bytes), bytes.len);
}
amqp_bytes_t bytes_of(const std::string& text) { return {text.size(), const_cast<char*>(text.data())}; }

// "" when the broker answered as asked.
std::string problem_of(const amqp_rpc_reply_t& reply) {
  switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL: return "";
    case AMQP_RESPONSE_NONE: return "no answer";
    case AMQP_RESPONSE_LIBRARY_EXCEPTION: return amqp_error_string2(reply.library_error);
    case AMQP_RESPONSE_SERVER_EXCEPTION: break;
  }
  if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD)
    return text_of(static_cast<amqp_channel_close_t*>(reply.reply.decoded)->reply_text);
  if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD)
    return text_of(static_cast<amqp_connection_close_t*>(reply.reply.decoded)->reply_text);
  return "the broker refused";
}

std::string publish(amqp_connection_state_t connection, const amqp_bytes_t& queue, const std::string& body) {
  const int sent = amqp_basic_publish(connection, kChannel, amqp_empty_bytes, queue, 0, 0, nullptr, bytes_of(body));
  return sent == AMQP_STATUS_OK ? "" : amqp_error_string2(sent);
}

// The broker handles what one channel sends in order: the message is in the queue when it sees the get.
std::string get(amqp_connection_state_t connection, const amqp_bytes_t& queue, std::string& body) {
  const amqp_rpc_reply_t reply = amqp_basic_get(connection, kChannel, queue, 1);
  if (const std::string problem = problem_of(reply); !problem.empty()) return problem;
  if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD) return "the queue is empty";
  amqp_message_t message;
  if (const std::string problem = problem_of(amqp_read_message(connection, kChannel, &message, 0)); !problem.empty())
    return problem;
  body = text_of(message.body);
  amqp_destroy_message(&message);
  return "";
}

}  // namespace

HttpAnswer amqp_publish_and_get(const AmqpCall& call, const HttpRoute& route) {
  const Destination to = destination_of(route, call.host, call.port);
  timeval limit{call.timeout_ms / 1000, (call.timeout_ms % 1000) * 1000};
  const Connection connection(amqp_new_connection());
  amqp_socket_t* socket = connection ? amqp_tcp_socket_new(connection.get()) : nullptr;
  if (socket == nullptr) return failed("rabbitmq-c gave no connection");
  if (const int opened = amqp_socket_open_noblock(socket, to.host.c_str(), to.port, &limit); opened != AMQP_STATUS_OK)
    return failed(amqp_error_string2(opened));
  if (amqp_set_handshake_timeout(connection.get(), &limit) != AMQP_STATUS_OK ||
      amqp_set_rpc_timeout(connection.get(), &limit) != AMQP_STATUS_OK)
    return failed("the time limit could not be set");
  const amqp_rpc_reply_t login =
      amqp_login(connection.get(), "/", 0, kFrameMax, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
  if (const std::string problem = problem_of(login); !problem.empty()) return failed("login: " + problem);
  amqp_channel_open(connection.get(), kChannel);
  if (const std::string problem = problem_of(amqp_get_rpc_reply(connection.get())); !problem.empty())
    return failed("channel: " + problem);
  // Named by the broker, for this connection alone: gone with it.
  const amqp_queue_declare_ok_t* declared =
      amqp_queue_declare(connection.get(), kChannel, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
  if (declared == nullptr) return failed("queue: " + problem_of(amqp_get_rpc_reply(connection.get())));
  const std::string name = text_of(declared->queue);
  std::string problem = publish(connection.get(), bytes_of(name), call.body);
  if (!problem.empty()) return failed("publish: " + problem);
  std::string body;
  problem = get(connection.get(), bytes_of(name), body);
  if (!problem.empty()) return failed("get: " + problem);
  if (body != call.body) return failed("get gave another body than publish had");
  amqp_connection_close(connection.get(), AMQP_REPLY_SUCCESS);
  HttpAnswer out;
  out.status = 200;
  return out;
}

}  // namespace hopcheck::demo

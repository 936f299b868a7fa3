#include "load/connection.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cerrno>

namespace hopcheck::load {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using BindAddressNoPort = asio::detail::socket_option::boolean<IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT>;

}  // namespace

Result<std::vector<Address>> resolve(const std::string& host, uint16_t port) {
  std::vector<Address> addresses;
  try {
    asio::io_context io;
    error_code error;
    tcp::resolver resolver(io);
    for (const auto& entry : resolver.resolve(host, std::to_string(port), tcp::resolver::numeric_service, error)) {
      addresses.push_back({entry.endpoint().address().to_string(), entry.endpoint().port()});
    }
    if (!addresses.empty()) return addresses;
    return fail(ErrorKind::kEnvironment, "cannot resolve " + host, error.message(), "check the host name and the DNS");
  } catch (const std::exception& failure) {
    return fail(ErrorKind::kEnvironment, "cannot resolve " + host, failure.what());
  }
}

// Handlers of pending operations hold the Impl; the Connection's end only cuts the handler off and closes the socket.
struct Connection::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& io, std::function<void(Event)> on_event) : socket(io), handler(std::move(on_event)) {}

  tcp::socket socket;
  std::function<void(Event)> handler;
  ResponseReader reader;
  std::string request;
  std::array<char, 16 * 1024> chunk;
  std::string error;
  bool busy = false;     // a request is out
  bool writing = false;  // and not all of it is with the kernel

  void report(Event event) {
    if (!handler) return;
    const std::function<void(Event)> copy = handler;  // it may destroy the Connection and with it the original
    copy(event);
  }
  void close() {
    error_code ignored;
    socket.close(ignored);
  }
  void broken() {
    const Event event = busy ? Event::kBroken : Event::kIdleClosed;
    busy = false;
    close();
    report(event);
  }
  void connected(const error_code& failure);
  void read();
  void read_done(const error_code& failure, size_t size);
  void answered();
  void write_rest(size_t from);
};

void Connection::Impl::connected(const error_code& failure) {
  if (!socket.is_open()) return;  // given up meanwhile
  if (failure) {
    error = failure.message();
    close();
    return report(Event::kConnectFailed);
  }
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
  read();
  report(Event::kConnected);
}

// A read is always pending, also while idle: that is how a close is seen before the next request is sent.
void Connection::Impl::read() {
  socket.async_read_some(asio::buffer(chunk), [self = shared_from_this()](const error_code& failure, size_t size) {
    self->read_done(failure, size);
  });
}

void Connection::Impl::read_done(const error_code& failure, size_t size) {
  if (!socket.is_open()) return;
  if (!busy) return broken();
  if (failure && failure != asio::error::eof) return broken();
  const ResponseReader::State state =
      failure ? reader.end_of_stream() : reader.feed(std::string_view(chunk.data(), size));
  if (state == ResponseReader::State::kBad) return broken();
  if (state == ResponseReader::State::kMore) return read();
  answered();
}

void Connection::Impl::answered() {
  busy = false;
  if (reader.keep_alive() && !writing) {
    read();
  } else {
    close();
  }
  report(Event::kAnswered);
}

void Connection::Impl::write_rest(size_t from) {
  writing = true;
  asio::async_write(socket, asio::buffer(request.data() + from, request.size() - from),
                    [self = shared_from_this()](const error_code& failure, size_t) {
                      self->writing = false;
                      // The read side ends it: an answer may already be there, and only the reader knows.
                      if (failure && self->socket.is_open() && self->busy) {
                        error_code ignored;
                        self->socket.shutdown(tcp::socket::shutdown_send, ignored);
                      }
                    });
}

Connection::Connection(asio::io_context& io, std::function<void(Event)> handler)
    : impl_(std::make_shared<Impl>(io, std::move(handler))) {}

Connection::~Connection() {
  impl_->handler = nullptr;
  impl_->close();
}

void Connection::connect(const Address& address) {
  error_code failure;
  const asio::ip::address ip = asio::ip::make_address(address.ip, failure);
  const tcp::endpoint endpoint(ip, address.port);
  if (!failure) impl_->socket.open(endpoint.protocol(), failure);
  if (!failure && !address.source_ip.empty()) {
    const asio::ip::address source = asio::ip::make_address(address.source_ip, failure);
    // The port is chosen when connecting, so that one source address has all ports for every destination (ip(7)).
    if (!failure) impl_->socket.set_option(BindAddressNoPort(true), failure);
    if (!failure) impl_->socket.bind(tcp::endpoint(source, 0), failure);
  }
  if (failure) {
    // Out of descriptors, say: reported from the loop like every other failure.
    impl_->error = failure.message();
    asio::post(impl_->socket.get_executor(), [self = impl_] { self->report(Event::kConnectFailed); });
    return;
  }
  impl_->socket.async_connect(endpoint, [self = impl_](const error_code& result) { self->connected(result); });
}

bool Connection::usable() const {
  if (!impl_->socket.is_open() || impl_->busy) return false;
  char byte;
  const ssize_t got = ::recv(impl_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

Connection::Send Connection::send(std::string request, ResponseReader::Body body) {
  Impl& impl = *impl_;
  impl.request = std::move(request);
  impl.reader.start(body);
  error_code failure;
  size_t sent = impl.socket.write_some(asio::buffer(impl.request), failure);
  if (failure == asio::error::would_block || failure == asio::error::try_again) {
    sent = 0;
  } else if (failure) {
    impl.close();
    return Send::kNothingSent;
  }
  impl.busy = true;
  if (sent < impl.request.size()) impl.write_rest(sent);
  return Send::kStarted;
}

int Connection::status() const { return impl_->reader.status(); }
bool Connection::reusable() const { return impl_->socket.is_open() && !impl_->busy; }
const std::string& Connection::error() const { return impl_->error; }

}  // namespace hopcheck::load

#include "load/response_reader.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/optional.hpp>

#include <cstring>
#include <optional>

namespace hopcheck::load {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast::error_code;
using beast::string_view;

// A message parser that keeps nothing: Beast does the framing, the body is dropped where it stands.
class Discarder final : public http::basic_parser<false> {
 public:
  int status = 0;

 private:
  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override { status = code; }
  void on_field_impl(http::field, string_view, string_view, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(string_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(uint64_t, string_view, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, string_view body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}
};

// The longest run of bytes the parser may ask for at once beside the header: a chunk's size line or its trailers.
constexpr size_t kMaxPending = ResponseReader::kMaxHeaderBytes;

}  // namespace

struct ResponseReader::Impl {
  std::optional<Discarder> parser;
  beast::flat_buffer pending;
  Body body = Body::kExpected;
  size_t header_bytes = 0;
  int interim = 0;
  int status = 0;
  bool keep_alive = false;

  void next() {
    parser.emplace();
    parser->eager(true);
    parser->skip(body == Body::kNone);
    parser->header_limit(static_cast<uint32_t>(kMaxHeaderBytes));
    parser->body_limit(kMaxBodyBytes);
    header_bytes = 0;
    status = 0;
    keep_alive = false;
  }

  State step();
  State finish();
};

ResponseReader::ResponseReader() : impl_(std::make_unique<Impl>()) { start(Body::kExpected); }
ResponseReader::~ResponseReader() = default;

void ResponseReader::start(Body body) {
  impl_->pending.clear();
  impl_->body = body;
  impl_->interim = 0;
  impl_->next();
}

ResponseReader::State ResponseReader::Impl::finish() {
  status = parser->status;
  keep_alive = parser->keep_alive() && pending.size() == 0;
  return State::kDone;
}

// Parses what is pending: kMore when all of it is used or more is needed.
ResponseReader::State ResponseReader::Impl::step() {
  while (pending.size() > 0) {
    error_code error;
    const bool in_header = !parser->is_header_done();
    const size_t used = parser->put(pending.data(), error);
    if (in_header) header_bytes += parser->is_header_done() ? 0 : used;
    pending.consume(used);
    if (error == http::error::need_more) {
      if (header_bytes + pending.size() > kMaxHeaderBytes && !parser->is_header_done()) return State::kBad;
      return pending.size() > kMaxPending ? State::kBad : State::kMore;
    }
    if (error) return State::kBad;
    if (!parser->is_done()) {
      if (used == 0) return State::kMore;
      continue;
    }
    if (parser->status >= 200) return finish();
    // 101 answers an upgrade nobody asked for; other interim answers are followed by the real one (RFC 9110 section
    // 15.2).
    if (parser->status == 101 || ++interim > kMaxInterim) return State::kBad;
    next();
  }
  return State::kMore;
}

ResponseReader::State ResponseReader::feed(std::string_view bytes) {
  const auto room = impl_->pending.prepare(bytes.size());
  std::memcpy(room.data(), bytes.data(), bytes.size());
  impl_->pending.commit(bytes.size());
  return impl_->step();
}

ResponseReader::State ResponseReader::end_of_stream() {
  Discarder& parser = *impl_->parser;
  if (!parser.is_header_done() || !parser.need_eof()) return State::kBad;
  error_code error;
  parser.put_eof(error);
  if (error) return State::kBad;
  impl_->finish();
  impl_->keep_alive = false;
  return State::kDone;
}

int ResponseReader::status() const { return impl_->status; }
bool ResponseReader::keep_alive() const { return impl_->keep_alive; }

}  // namespace hopcheck::load

#include "load/response_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/rng.h"

namespace hopcheck::load {
namespace {

using State = ResponseReader::State;
using Body = ResponseReader::Body;

struct Read {
  State state = State::kMore;
  int status = 0;
  bool keep_alive = false;
  bool operator==(const Read&) const = default;
};

// Feeds the bytes cut in two at `cut`, then ends the stream if the answer is not whole.
Read read(std::string_view bytes, size_t cut, Body body = Body::kExpected) {
  ResponseReader reader;
  reader.start(body);
  State state = State::kMore;
  cut = std::min(cut, bytes.size());
  for (const std::string_view part : {bytes.substr(0, cut), bytes.substr(cut)}) {
    if (state == State::kMore && !part.empty()) state = reader.feed(part);
  }
  if (state == State::kMore) state = reader.end_of_stream();
  return {state, reader.status(), state == State::kDone && reader.keep_alive()};
}

// Cutting must not matter, except that bytes after the answer are only seen when they came with its end.
Read read_everywhere(std::string_view bytes, Body body = Body::kExpected) {
  const Read whole = read(bytes, bytes.size(), body);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const Read parts = read(bytes, cut, body);
    EXPECT_EQ(parts.state, whole.state) << bytes << " cut at " << cut;
    EXPECT_EQ(parts.status, whole.status) << bytes << " cut at " << cut;
  }
  return whole;
}

TEST(ResponseReader, ReadsEveryFraming) {
  EXPECT_EQ(read_everywhere("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), (Read{State::kDone, 200, true}));
  EXPECT_EQ(read_everywhere("HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n"),
            (Read{State::kDone, 503, true}));
  EXPECT_EQ(read_everywhere("HTTP/1.1 200 OK\r\n\r\nuntil the end"), (Read{State::kDone, 200, false}));
  EXPECT_EQ(read_everywhere("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
            (Read{State::kDone, 200, false}));
  EXPECT_EQ(read_everywhere("HTTP/1.0 404 Gone\r\nContent-Length: 1\r\n\r\nx"), (Read{State::kDone, 404, false}));
}

TEST(ResponseReader, AnswersWithoutBody) {
  EXPECT_EQ(read_everywhere("HTTP/1.1 204 No Content\r\n\r\n"), (Read{State::kDone, 204, true}));
  EXPECT_EQ(read_everywhere("HTTP/1.1 304 Same\r\nContent-Length: 99\r\n\r\n"), (Read{State::kDone, 304, true}));
  EXPECT_EQ(read_everywhere("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", Body::kNone),
            (Read{State::kDone, 200, true}));
}

TEST(ResponseReader, BytesAfterTheAnswerEndTheConnection) {
  EXPECT_EQ(read("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", 1000, Body::kExpected).keep_alive, false);
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok HTTP/1.1 200 OK\r\n\r\n", 1000).keep_alive, false);
}

TEST(ResponseReader, InterimAnswersAreSkippedUpToALimit) {
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  const std::string last = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(read_everywhere("HTTP/1.1 100 Continue\r\n\r\n" + interim + last), (Read{State::kDone, 201, true}));
  std::string many;
  for (int i = 0; i <= ResponseReader::kMaxInterim; ++i) many += interim;
  EXPECT_EQ(read(many + last, many.size()).state, State::kBad);
  const std::string upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
  EXPECT_EQ(read(upgrade, upgrade.size()).state, State::kBad);
}

TEST(ResponseReader, RefusesWhatIsNotAnAnswer) {
  for (const char* bytes :
       {"", "garbage\r\n\r\n", "HTTP/0.9 200 OK\r\n\r\n", "HTTP/2 200\r\n\r\n", "<html>no header</html>",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le"}) {
    EXPECT_EQ(read_everywhere(bytes).state, State::kBad) << bytes;
  }
}

TEST(ResponseReader, LimitsHeaderAndBody) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  EXPECT_EQ(read(ok + "A: " + std::string(40'000, 'a') + "\r\nContent-Length: 0\r\n\r\n", 100).state, State::kDone);
  EXPECT_EQ(read(ok + "A: " + std::string(70'000, 'a') + "\r\nContent-Length: 0\r\n\r\n", 100).state, State::kBad);
  // Many small fields, in small pieces: the sum counts.
  ResponseReader reader;
  State state = reader.feed(ok);
  for (int i = 0; i < 10'000 && state == State::kMore; ++i) state = reader.feed("Name: value\r\n");
  EXPECT_EQ(state, State::kBad);
  EXPECT_EQ(read(ok + "Content-Length: 16777217\r\n\r\n", 5).state, State::kBad);
  reader.start(Body::kExpected);
  state = reader.feed(ok + "\r\n");
  const std::string piece(1 << 20, 'x');
  int pieces = 0;
  for (; pieces < 20 && state == State::kMore; ++pieces) state = reader.feed(piece);
  EXPECT_EQ(state, State::kBad);
  EXPECT_EQ(pieces, 17);
  reader.start(Body::kExpected);
  state = reader.feed(ok + "Transfer-Encoding: chunked\r\n\r\n");
  // A size line without end.
  for (int i = 0; i < 100 && state == State::kMore; ++i) state = reader.feed(std::string(1000, '0'));
  EXPECT_EQ(state, State::kBad);
}

TEST(ResponseReader, SurvivesRandomBytes) {
  const std::string good = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  Rng rng(20);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (uint64_t j = rng.below(4); j > 0; --j) bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    if (rng.below(3) == 0) bytes.resize(rng.below(bytes.size() + 1));
    const size_t cut = rng.below(bytes.size() + 1);
    ASSERT_EQ(read(bytes, cut).state, read(bytes, bytes.size()).state) << bytes;
  }
}

}  // namespace
}  // namespace hopcheck::load

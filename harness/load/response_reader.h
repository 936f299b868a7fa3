// Reads HTTP/1.x answers from bytes as they come and keeps nothing of them but the status: RFC 9112 framing
// (Content-Length, chunked, until close), interim 1xx answers skipped, limits on everything. No I/O. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace hopcheck::load {

class ResponseReader {
 public:
  static constexpr size_t kMaxHeaderBytes = 64 * 1024;
  static constexpr uint64_t kMaxBodyBytes = 16 * 1024 * 1024;
  static constexpr int kMaxInterim = 10;

  enum class State {
    kMore,  // the answer is not whole yet
    kDone,  // status() and keep_alive() hold
    kBad,   // not HTTP/1.x, malformed, beyond a limit, or cut off
  };
  enum class Body { kExpected, kNone };  // kNone: the request was a HEAD

  ResponseReader();
  ~ResponseReader();
  // Begins the answer to the next request; earlier bytes are forgotten.
  void start(Body body);
  // After kDone or kBad: not to be called before start().
  State feed(std::string_view bytes);
  State end_of_stream();

  int status() const;
  // False too when bytes follow the answer: whatever they are, the next answer would not be where it should.
  bool keep_alive() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopcheck::load

// One accepted socket with a read buffer and time limits. Owned by one thread; does not close the descriptor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace hopcheck::demo {

class Connection {
 public:
  explicit Connection(int socket);

  bool buffered() const { return begin_ < end_; }
  // True when a byte or the end of the stream can be read within the time; 0 asks without waiting.
  bool readable(int timeout_ms) const;
  bool writable(int timeout_ms) const;
  // At most `size` bytes; 0 at the end of the stream, -1 on error or after 30 s of silence.
  ssize_t read(char* out, size_t size);
  // All of it or -1.
  ssize_t write(const char* data, size_t size);
  // Whether the stream begins with the text; reads no further than it takes to know, and takes nothing.
  bool begins_with(std::string_view text);
  int socket() const { return socket_; }

 private:
  ssize_t fill();

  int socket_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
};

}  // namespace hopcheck::demo

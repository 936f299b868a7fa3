// Which of a name's addresses the next connection goes to: in turn, but one that refused last time only when all did
// ("localhost" may be two, of which one listens). Pure.
#pragma once

#include <cstddef>
#include <vector>

namespace hopcheck::load {

class AddressRing {
 public:
  explicit AddressRing(size_t count) : refused_(count, false) {}  // count > 0

  size_t next() {
    for (size_t i = 0; i < refused_.size(); ++i) {
      const size_t candidate = turn_++ % refused_.size();
      if (!refused_[candidate]) return candidate;
    }
    return turn_++ % refused_.size();
  }
  void connected(size_t index) { refused_[index] = false; }
  void refused(size_t index) { refused_[index] = true; }

 private:
  std::vector<bool> refused_;
  size_t turn_ = 0;
};

}  // namespace hopcheck::load

// What declared faults do to one call: looked up by journey and called service. Pure.
#pragma once

#include <string>

#include "model/scenario.h"

namespace hopcheck::plan {

// The fault of this kind that holds for the journey at the service; null when none does.
const Fault* find_fault(const Scenario& scenario, const std::string& journey, const std::string& service,
                        Fault::Kind kind);

// What the caller's route to a service adds to its operation (facts 1.3): "/*", or "/slow*" where a route fault of this
// journey alone needs a VirtualService that matches the request's path by prefix.
std::string route_of(const Scenario& scenario, const std::string& journey, const std::string& service,
                     const std::string& path);

// The answer to one call as its caller's proxy sees it.
struct Answer {
  int status = 200;       // 0 = not known
  int klass = 2;          // status / 100 that is taken for granted where the status is not known; 0 = not even that
  int64_t nanos = 0;      // declared delays in it
};
Answer answer_of(int status);

// What an app answers to its own caller when its calls were answered so: one after the other, or together.
class AppAnswer {
 public:
  enum class Order : uint8_t { kAfter, kTogether };  // with the call before
  void add(const Answer& call, Order order);
  Answer result(int64_t own_nanos) const;

 private:
  bool all_fine_ = true, unknown_ = false, broken_ = false, refused_ = false;
  int64_t done_ = 0, together_ = 0;
};

}  // namespace hopcheck::plan

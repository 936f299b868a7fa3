#include "plan/fault_plan.h"

#include <algorithm>

namespace hopcheck::plan {

const Fault* find_fault(const Scenario& scenario, const std::string& journey, const std::string& service,
                        Fault::Kind kind) {
  for (const Fault& fault : scenario.faults) {
    if (fault.kind == kind && fault.at == service && (fault.journey.empty() || fault.journey == journey)) return &fault;
  }
  return nullptr;
}

std::string route_of(const Scenario& scenario, const std::string& journey, const std::string& service,
                     const std::string& path) {
  const bool matched = std::any_of(scenario.faults.begin(), scenario.faults.end(), [&](const Fault& fault) {
    return is_route_fault(fault.kind) && fault.at == service && !fault.journey.empty() && fault.journey == journey;
  });
  return matched ? path + "*" : "/*";
}

Answer answer_of(int status) {
  Answer out;
  out.status = status;
  out.klass = status / 100;
  return out;
}

void AppAnswer::add(const Answer& call, Order order) {
  all_fine_ = all_fine_ && call.status > 0 && call.status < 400;
  unknown_ = unknown_ || call.klass == 0;
  broken_ = broken_ || call.klass == 5;
  refused_ = refused_ || call.klass == 4;
  if (order == Order::kAfter) {
    done_ += together_;
    together_ = call.nanos;
  } else {
    together_ = std::max(together_, call.nanos);
  }
}

Answer AppAnswer::result(int64_t own_nanos) const {
  Answer out;
  out.nanos = own_nanos + done_ + together_;
  if (all_fine_) return out;
  out.status = 0;
  out.klass = broken_ ? 5 : unknown_ ? 0 : refused_ ? 4 : 2;
  return out;
}

}  // namespace hopcheck::plan

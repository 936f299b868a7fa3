// The span one proxy makes of one call: the profile's rule with everything known filled in. Pure.
#pragma once

#include <optional>
#include <string>

#include "plan/port_protocol.h"
#include "plan/tree_builder.h"

namespace hopcheck::plan {

// One call on its way: who sends it, where to, what is asked for.
struct Hop {
  int caller = kGatewayService;  // topology index, or a pseudo service
  int callee = 0;
  uint16_t port = 8080;
  std::string method, path;
  std::string route = "/*";
  std::string outside;  // host outside the topology that is called instead; "" = the callee
};

// The arguments outlive it.
class ProxySpanMaker {
 public:
  ProxySpanMaker(const Scenario& scenario, const ProfileBinding& binding, const Choice& choice,
                 const Journey& journey);
  const Service& service_of(int index) const;
  const Workload& workload_of(int index) const;
  // Without parent; status 200 and no response flag. Nothing where this version's proxy of `index` emits no such span.
  std::optional<ExpectedSpan> proxy_span(ProxyRole role, int index, const Hop& hop) const;
  // What the mesh is claimed to make of the port: a canary may say another name than the port has.
  PortProtocol expected_protocol(const Service& service, uint16_t port) const;
  // A profile's template, for this span.
  std::string fill(const std::string& text, const ExpectedSpan& span) const;

 private:
  std::string service_name(const MeshProfile& profile, const Service& service, const Workload& workload) const;
  void add_attributes(const SpanRule& rule, PortProtocol protocol, ExpectedSpan& span) const;
  ExpectedAttribute expected(const AttributeRule& rule, const ExpectedSpan& span) const;

  const Scenario& scenario_;
  const SpecEnvironment& claimed_;
  const Topology& topology_;
  const ProfileBinding& binding_;
  const Choice& choice_;
  const Journey& journey_;
  const Service gateway_, client_;
};

}  // namespace hopcheck::plan

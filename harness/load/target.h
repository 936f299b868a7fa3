// What a drive sends, without any I/O: the checks of a LoadPlan and the bytes of each request. Pure; thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/ledger.h"
#include "plan/intent.h"

namespace hopcheck::load {

struct Target {
  std::string host;         // name or address to connect to, IPv6 without brackets
  uint16_t port = 80;
  std::string host_header;  // as sent
  std::string path_prefix;  // path of the base URL without its final '/'; usually ""
};

// "http://host[:port][/prefix]"; no user, query or fragment. Usage error otherwise.
Result<Target> parse_base_url(const std::string& url);

// Everything that could make a request unsendable or split it in two (control characters, spaces) is refused here,
// before the first byte is sent.
Result<Target> check_plan(const LoadPlan& plan);

// One HTTP/1.1 request. Header-less mode sends what curl would: host, user-agent and accept, nothing of ours beside.
std::string request_text(const LoadPlan& plan, const Target& target, const plan::TagCipher& cipher,
                         const Intent& intent);

}  // namespace hopcheck::load

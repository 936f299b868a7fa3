// The kubeconfig kind writes: server, CA and client certificate of its current context. Only embedded (…-data)
// credentials are accepted: ours always are. Secret: never printed.
#pragma once

#include <string>

#include "base/result.h"

namespace hopcheck::mesh {

struct Kubeconfig {
  std::string server;  // https://127.0.0.1:40183
  std::string ca_pem, certificate_pem, key_pem;
};
Result<Kubeconfig> parse_kubeconfig(const std::string& text);
Result<Kubeconfig> load_kubeconfig(const std::string& path);
// Standard base64 with padding, white space ignored; "" when malformed.
std::string base64_decode(const std::string& text);

}  // namespace hopcheck::mesh

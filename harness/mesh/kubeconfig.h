// A kubeconfig's current context: server, CA, and a client certificate or a bearer token. Credentials are embedded
// (…-data, token) or files named there; a relative name is beside the kubeconfig. Plugins (exec, auth-provider) are not
// run: an error says so. Secret: never printed.
#pragma once

#include <string>

#include "base/result.h"

namespace hopcheck::mesh {

struct Kubeconfig {
  std::string server;  // https://127.0.0.1:40183
  std::string ca_pem, certificate_pem, key_pem;
  std::string token;  // in the place of certificate and key
};
// `folder`: where relative file names begin.
Result<Kubeconfig> parse_kubeconfig(const std::string& text, const std::string& folder = "");
Result<Kubeconfig> load_kubeconfig(const std::string& path);
// Standard base64 with padding, white space ignored; "" when malformed.
std::string base64_decode(const std::string& text);

}  // namespace hopcheck::mesh

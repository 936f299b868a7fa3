// The programs the local provider runs: an Envoy that belongs to an Istio minor, and the Collector. Where they are, and
// how to get them, is known to scripts/local-parts alone (pins: kind/local-parts.yaml); this is its C++ face.
// Order of search: $HOPCHECK_TOOLS, $PATH (an envoy there counts only when its minor is the wanted one, an otelcol only
// when it has every component of kind/local-otelcol.yaml), ${XDG_CACHE_HOME:-~/.cache}/hopcheck/parts. Thread-safe when
// the runner is; two processes may make the same parts at once (the script takes a file lock).
#pragma once

#include <atomic>
#include <string>

#include "base/result.h"
#include "mesh/process.h"

namespace hopcheck::mesh {

struct LocalParts {
  std::string envoy;            // absolute path
  std::string envoy_version;    // "1.38.3"
  std::string otelcol;          // absolute path
  std::string otelcol_version;  // "0.161.0"
};

struct LocalPartsSpec {
  std::string share;     // folder with scripts/ and kind/
  std::string istio;     // dotted prefix with at least the minor ("1.30", "1.30.3"); "" = the pins' default
  std::string log_path;  // what the script says is appended here; "" = nowhere
};

// Looks only; takes some 50 ms. Error kEnvironment with "scripts/local-parts --istio X" as its fix when a part is
// missing or the Istio minor has no pinned Envoy; kInterrupted when `stop` is set.
Result<LocalParts> find_local_parts(ProcessRunner& runner, const LocalPartsSpec& spec, const std::atomic<bool>& stop);

// spec.defaultIstio of kind/local-parts.yaml.
Result<std::string> default_istio_of_parts(const std::string& share);

// Gets what is missing first: seconds for an Envoy, minutes for the Collector, 20 minutes at most. Errors as the script
// states them: what, why (with its log's path), what to do.
Result<LocalParts> make_local_parts(ProcessRunner& runner, const LocalPartsSpec& spec, const std::atomic<bool>& stop);

// The program that starts RabbitMQ, "" when it or Erlang's port mapper is not here. Debian's command on PATH is a
// wrapper that changes the user and keeps everything in /var; what it calls does not.
std::string find_broker();

}  // namespace hopcheck::mesh

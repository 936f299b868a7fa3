// A file with an OpenTelemetry Collector in it, read: either the Collector's own configuration, or Kubernetes objects,
// one of them a ConfigMap that holds the configuration as text. Positions inside that text are turned into positions of
// the file, so that every finding names the line a person sees. What makes the file useless to apply is refused here,
// all of it at once: no YAML, lost indentation, duplicate keys, placeholders that nobody replaced. Messages never quote
// a value of the file, a token may be among them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "otelcol/tree.h"
#include "config/load.h"

namespace hopcheck::otelcol {

// A Collector configuration inside the file.
struct Configuration {
  Node root;          // positions are the file's
  std::string where;  // "key collector.yaml of ConfigMap otel"; "" when the file is the configuration
  std::string config_map, key;
  // False for a configuration in a quoted or folded scalar: its inner positions are those of the scalar, and it cannot
  // be edited in place.
  bool in_place = true;
  int key_column = 1;  // of the ConfigMap's field: everything deeper under it is the configuration
};

struct Manifest {
  std::string file, text;
  std::vector<Node> documents;
  std::vector<Configuration> configurations;  // at least one
};

// text: the file's bytes; file: its name for messages.
config::Loaded<Manifest> read_manifest(const std::string& text, const std::string& file);

// The document of that kind ("Service"); null when there is none. The first of several.
const Node* object(const Manifest& manifest, std::string_view kind);
// The workload that runs the Collector: the first Deployment, DaemonSet or StatefulSet with a container whose image or
// command is a Collector's; null when there is none.
const Node* workload(const Manifest& manifest);
const Node* collector_container(const Node* workload);

}  // namespace hopcheck::otelcol

#include "testing/layering.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace hopcheck::testing {
namespace {

using Names = std::set<std::string, std::less<>>;

const Names kPure = {"otlp", "plan", "check", "stats", "config", "report", "sim", "preview", "otelcol",
                     "doctor"};
const Names kEdges = {"load", "sink", "mesh", "store", "ui"};
// No clock, socket, file, thread or environment in these.
const Names kNoIo = {"base",   "model", "otlp",    "plan", "check", "stats",
                     "config", "report", "sim", "preview", "run",   "h2",   "otelcol", "doctor"};

Names plus(Names a, const Names& b) {
  a.insert(b.begin(), b.end());
  return a;
}

// Who may include whom, the folder itself apart.
const std::map<std::string, Names, std::less<>>& arrows() {
  static const std::map<std::string, Names, std::less<>> kArrows = [] {
    const Names values = {"base", "model"};
    const Names core = plus(plus(values, kPure), {"run"});
    std::map<std::string, Names, std::less<>> a;
    a["base"] = {};
    a["model"] = {"base"};
    for (const std::string& folder : kPure) a[folder] = values;
    a["check"] = plus(values, {"plan", "stats"});
    a["sim"] = plus(values, {"plan"});
    a["preview"] = plus(values, {"plan", "check", "report"});
    a["otelcol"] = plus(values, {"config"});
    a["run"] = plus(values, kPure);
    for (const std::string& folder : kEdges) a[folder] = core;
    a["sink"] = plus(core, {"store", "h2"});  // the sink writes the capture log, which is the store's
    a["app"] = plus(core, kEdges);
    a["h2"] = values;  // the protocol alone, for those who own sockets
    a["demo"] = plus(values, {"config", "otlp", "plan", "h2"});
    a["bench"] = plus(plus(core, kEdges), {"app"});
    a["testing"] = plus(core, {"store"});  // tests record the rows they prove (testing/claims.h)
    a["fuzz"] = plus(core, {"store", "sink", "load"});
    return a;
  }();
  return kArrows;
}

// Headers that reach outside the process or start something concurrent.
const Names kIoHeaders = {"fstream",  "iostream",  "filesystem", "thread",   "future",   "mutex",   "shared_mutex",
                          "condition_variable",    "csignal",    "signal.h", "unistd.h", "fcntl.h", "netdb.h",
                          "poll.h",   "dirent.h",  "dlfcn.h",    "pthread.h", "spawn.h", "ifaddrs.h"};
const std::vector<std::string_view> kIoPrefixes = {"sys/", "netinet/", "arpa/", "net/", "linux/"};

// Named exceptions, each with its reason.
struct Exception {
  std::string_view path, header, reason;
};
const std::vector<Exception> kExceptions = {
    {"config/files.cc", "fstream", "the loader reads the YAML files that a scenario refers to"},
    {"config/files.cc", "filesystem", "a reference is resolved beside the file that makes it"},
    {"sink/stream.h", "boost/asio/io_context.hpp", "one stream, plain or TLS, under two kinds of connection"},
    {"sink/stream.h", "boost/asio/ip/tcp.hpp", "as above"},
    {"sink/stream.h", "boost/asio/ssl/context.hpp", "as above"},
    {"sink/stream.h", "boost/asio/ssl/stream.hpp", "as above"},
    {"sink/stream.h", "boost/asio/steady_timer.hpp", "as above"},
    {"plan/intent.cc", "mutex", "OpenSSL writes to a cipher context while it encrypts; const use stays thread-safe"},
};

// Third-party headers that cost seconds to compile or bring a framework: in no header of ours, or it spreads.
const Names kSourcesOnly = {"nlohmann/", "CLI/", "httplib.h", "curl/", "boost/", "yaml-cpp/"};

// Which folders use which third-party header (prefix).
const std::map<std::string, Names, std::less<>> kOwners = {
    {"nlohmann/",
     {"plan", "report", "preview", "doctor", "store", "load", "sink", "mesh", "app", "demo", "bench", "fuzz"}},
    {"CLI/", {"app", "demo"}},
    {"httplib.h", {"demo"}},
    {"nghttp2/", {"h2"}},
    {"hiredis/", {"demo"}},
    {"amqp.h", {"demo"}},
    {"amqp_tcp_socket.h", {"demo"}},
    {"curl/", {"mesh", "app", "demo"}},
    {"boost/", {"load", "mesh", "sink"}},
    {"yaml-cpp/", {"config", "mesh"}},
    {"protozero/", {"otlp"}},
    {"simdjson.h", {"otlp"}},
    {"libdeflate.h", {"otlp"}},
    {"zstd.h", {"otlp", "store"}},
    {"zlib.h", {"otlp"}},
    {"openssl/", {"base", "plan", "report", "store", "sink", "mesh", "app"}},
};

struct Include {
  std::string_view header;
  bool quoted = false;
};

std::optional<Include> parse_include(std::string_view line) {
  const auto skip_blanks = [&line] {
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  };
  skip_blanks();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  if (!line.starts_with("include")) return std::nullopt;
  line.remove_prefix(7);
  skip_blanks();
  if (line.empty() || (line.front() != '"' && line.front() != '<')) return std::nullopt;
  const bool quoted = line.front() == '"';
  line.remove_prefix(1);
  const size_t end = line.find(quoted ? '"' : '>');
  if (end == std::string_view::npos) return std::nullopt;
  return Include{line.substr(0, end), quoted};
}

bool is_io_header(std::string_view header) {
  if (kIoHeaders.contains(header)) return true;
  return std::any_of(kIoPrefixes.begin(), kIoPrefixes.end(),
                     [header](std::string_view prefix) { return header.starts_with(prefix); });
}

bool is_excepted(std::string_view path, std::string_view header) {
  return std::any_of(kExceptions.begin(), kExceptions.end(),
                     [&](const Exception& e) { return e.path == path && e.header == header; });
}

std::optional<std::string> arrow_violation(std::string_view folder, bool test, std::string_view header) {
  const size_t slash = header.find('/');
  if (slash == std::string_view::npos) return "includes of this repository start with a folder of harness/";
  const std::string_view target = header.substr(0, slash);
  const auto from = arrows().find(folder);
  if (from == arrows().end()) return fmt::format("folder {}/ has no arrows in testing/layering.cc", folder);
  if (target == folder || from->second.contains(target)) return std::nullopt;
  if (!arrows().contains(target)) return fmt::format("{}/ is not a folder of harness/", target);
  if (test && (kPure.contains(target) || target == "testing" || target == "base" || target == "model" ||
               target == "run")) {
    return std::nullopt;
  }
  return fmt::format("arrow {} -> {} is not allowed", folder, target);
}

struct FileKind {
  bool source = false, test = false;
};

// Tests may also make inputs with the small libraries of other folders.
std::optional<std::string> weight_violation(std::string_view folder, FileKind kind, std::string_view header) {
  for (const auto& [prefix, owners] : kOwners) {
    if (!header.starts_with(prefix) || (kind.test && !kSourcesOnly.contains(prefix))) continue;
    if (!owners.contains(folder)) return fmt::format("<{}> is not for folder {}", header, folder);
    if (!kind.source && kSourcesOnly.contains(prefix)) {
      return fmt::format("<{}> is heavy: only .cc files include it", header);
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> layering_violations(std::string_view path, std::string_view text) {
  std::vector<std::string> out;
  const std::string_view folder = path.substr(0, path.find('/'));
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const bool is_test = name.ends_with("_test.cc") || name.ends_with("_test.h") || name.starts_with("test_");
  const FileKind kind{path.ends_with(".cc"), is_test};
  int number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const auto include = parse_include(line);
    if (!include) continue;
    const std::string_view header = include->header;
    std::optional<std::string> wrong;
    if (include->quoted) {
      wrong = arrow_violation(folder, is_test, header);
    } else {
      if (!is_excepted(path, header)) wrong = weight_violation(folder, kind, header);
      if (!wrong && !is_test && kNoIo.contains(folder) && is_io_header(header) && !is_excepted(path, header)) {
        wrong = fmt::format("<{}> does I/O or threads, and {}/ is pure", header, folder);
      }
    }
    if (wrong) out.push_back(fmt::format("harness/{}:{}: {}", path, number, *wrong));
  }
  return out;
}

std::vector<std::string> known_folders() {
  std::vector<std::string> out;
  for (const auto& [folder, targets] : arrows()) out.push_back(folder);
  return out;
}

}  // namespace hopcheck::testing

// hopcheck-parity: the two halves of the parity proof (scripts/parity) that are C++. Not installed, not documented for
// users. Exit codes: 0 equal or written, 1 different, 3 environment, 4 usage.
//
//   render   writes one Envoy's files for each proxy of a mesh on loopback, and plan.json: who listens where
//   compare  two captures by their signatures (check/signature.h), whatever made them
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "check/signature.h"
#include "config/load.h"
#include "mesh/envoy_config.h"
#include "stats/binomial.h"
#include "store/capture.h"

namespace {

using namespace hopcheck;
using Json = nlohmann::ordered_json;

constexpr int kDifferent = 1, kEnvironmentExit = 3, kUsageExit = 4;
constexpr double kAlpha = 1e-6;  // of the sampling test, as everywhere in the harness

struct RenderFlags {
  std::string share = ".", topology = "shop", prefix = "127.93.7", istio = "1.30", transport = "grpc", out;
  std::string naming = "APP_LABEL_AND_NAMESPACE";
  std::optional<double> sampling;
  bool no_spawn = false, mesh_client = false;
  std::vector<std::string> retry, empty;  // fqdns of called services
};

struct CompareFlags {
  std::string expected, actual;
  size_t skip_first = 0, min_spans = 0;
  std::string rule = "exact";
  std::optional<double> rate;  // percent, with sent
  uint64_t sent_expected = 0, sent_actual = 0;
};

int report(const Error& error) {
  std::fputs(to_text(error).c_str(), stderr);
  return error.kind == ErrorKind::kUsage ? kUsageExit : kEnvironmentExit;
}

Result<void> write_file(const std::filesystem::path& path, const std::string& text) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  const std::filesystem::path fresh = path.string() + ".new";
  std::ofstream file(fresh, std::ios::binary);
  file << text;
  file.close();
  std::error_code failed;
  if (file) std::filesystem::rename(fresh, path, failed);  // atomic: a running Envoy sees the old file or the new one
  if (!file || failed) return fail(ErrorKind::kEnvironment, "cannot write " + path.string());
  return {};
}

Result<MeshProfile> profile_of(const RenderFlags& flags) {
  const auto profiles = config::load_profiles({flags.share});
  if (!profiles) return fail(ErrorKind::kUsage, "profiles", config::to_text(profiles.error()));
  for (const MeshProfile& profile : *profiles) {
    if (profile.istio_minor == flags.istio) return profile;
  }
  return fail(ErrorKind::kUsage, "no profile for Istio " + flags.istio);
}

Result<run::EnvironmentState> state_of(const RenderFlags& flags) {
  run::EnvironmentState state;
  state.istio = flags.istio;
  state.transport = flags.transport == "http" ? Transport::kHttp : Transport::kGrpc;
  state.gateway_spawn = !flags.no_spawn;
  state.sampling = flags.sampling;
  for (const NamingMode mode : {NamingMode::kAppLabelAndNamespace, NamingMode::kCanonicalNameOnly,
                                NamingMode::kCanonicalNameAndNamespace, NamingMode::kOtelSemanticConventions}) {
    if (flags.naming == to_string(mode)) state.naming = mode;
  }
  run::TopologyInstance instance;
  auto topology = config::load_topology(flags.topology, "", {flags.share});
  if (!topology) return fail(ErrorKind::kUsage, "topology", config::to_text(topology.error()));
  instance.topology = std::move(*topology);
  instance.mesh_client = flags.mesh_client;
  state.instances = {instance};
  return state;
}

Result<Json> render_proxy(const mesh::EnvoyRequest& request, const mesh::LocalWorkload& w,
                          const std::filesystem::path& folder) {
  mesh::EnvoyRequest placed{request.mesh, request.state, request.profile, {(folder / "listeners.json").string()},
                            request.retries, request.without_endpoints};
  const auto files = mesh::envoy_files(placed, w);
  if (!files) return tl::unexpected<Error>(files.error());
  const auto bootstrap = folder / "bootstrap.json";
  if (auto done = write_file(placed.places.listeners, files->listeners); !done) return tl::unexpected(done.error());
  if (auto done = write_file(bootstrap, files->bootstrap); !done) return tl::unexpected(done.error());
  return Json{{"arguments", mesh::envoy_arguments(bootstrap.string())},
              {"environment", files->environment},
              {"admin", mesh::envoy_admin_address(w)},
              {"listeners", placed.places.listeners}};
}

Result<void> render(const RenderFlags& flags) {
  const auto profile = profile_of(flags);
  if (!profile) return tl::unexpected<Error>(profile.error());
  const auto state = state_of(flags);
  if (!state) return tl::unexpected<Error>(state.error());
  const auto mesh = mesh::plan_local_mesh(flags.prefix, state->instances);
  if (!mesh) return tl::unexpected<Error>(mesh.error());
  mesh::EnvoyRequest request{*mesh, *state, *profile, {}, {}, {}};
  for (const std::string& host : flags.retry) request.retries[host] = {};
  request.without_endpoints = {flags.empty.begin(), flags.empty.end()};
  const std::filesystem::path out = std::filesystem::absolute(flags.out);
  Json plan{{"gateway", mesh::gateway_address(*mesh)},
            {"collector", mesh->collector_ip},
            {"sink", mesh->sink_ip},
            {"envoy", profile->envoy_minor},
            {"workloads", Json::array()}};
  auto gateway = render_proxy(request, mesh->gateway, out / "gateway");
  if (!gateway) return tl::unexpected<Error>(gateway.error());
  plan["proxies"]["gateway"] = std::move(*gateway);
  for (const mesh::LocalWorkload& w : mesh->workloads) {
    Json calls = Json::object();
    for (const Call& call : w.service.calls) {
      calls[call.to] = mesh::connect_address(*mesh, w, call.to, call.port);
    }
    Json one{{"service", w.service.name}, {"workload", w.workload.name}, {"namespace", w.service.ns},
             {"ip", w.ip}, {"appIp", w.app_ip}, {"loadClient", w.load_client}, {"calls", calls}};
    one["ports"] = Json::array();
    for (const ServicePort& port : w.service.ports) one["ports"].push_back(port.target_port);
    plan["workloads"].push_back(one);
    if (!w.sidecar) continue;
    auto proxy = render_proxy(request, w, out / w.workload.name);
    if (!proxy) return tl::unexpected<Error>(proxy.error());
    plan["proxies"][w.workload.name] = std::move(*proxy);
  }
  return write_file(out / "plan.json", plan.dump(1) + "\n");
}

// Without the traces that have fewer spans.
std::vector<Span> of_size(const std::vector<Span>& spans, size_t min_spans) {
  std::map<TraceId, size_t> sizes;
  for (const Span& span : spans) ++sizes[span.trace_id];
  std::vector<Span> out;
  for (const Span& span : spans) {
    if (sizes[span.trace_id] >= min_spans) out.push_back(span);
  }
  return out;
}

// Whether `traces` of `sent` fit the sampling rate; says so.
bool rate_fits(const char* side, uint64_t traces, uint64_t sent, double percent) {
  const double p = stats::binomial_two_sided_p(traces, sent, percent / 100);
  fmt::print("{}: {} of {} sampled at {} %, p = {:.3g}\n", side, traces, sent, percent, p);
  return p >= kAlpha;
}

Result<bool> compare(const CompareFlags& flags) {
  const auto expected = store::load_capture(flags.expected);
  if (!expected) return tl::unexpected<Error>(expected.error());
  const auto actual = store::load_capture(flags.actual);
  if (!actual) return tl::unexpected<Error>(actual.error());
  const check::Signature want = check::signature_of(of_size(expected->spans, flags.min_spans), flags.skip_first);
  const check::Signature got = check::signature_of(actual->spans);
  auto rule = check::CountRule::kExact;
  if (flags.rule == "presence") rule = check::CountRule::kPresence;
  if (flags.rule == "subset") rule = check::CountRule::kSubset;
  const auto differences = check::compare_signatures(want, got, rule);
  fmt::print("expected {} traces, {} spans; actual {} traces, {} spans\n", want.traces, want.spans, got.traces,
             got.spans);
  std::fputs(check::to_text(differences).c_str(), stdout);
  bool equal = differences.empty();
  if (flags.rate) {
    equal &= rate_fits("expected", want.traces + flags.skip_first, flags.sent_expected, *flags.rate);
    equal &= rate_fits("actual", got.traces, flags.sent_actual, *flags.rate);
  }
  return equal;
}

void add_options(CLI::App& app, RenderFlags& r, CompareFlags& c) {
  app.require_subcommand(1);
  CLI::App* render = app.add_subcommand("render", "write the Envoy files of a mesh");
  render->add_option("--share", r.share);
  render->add_option("--topology", r.topology);
  render->add_option("--prefix", r.prefix);
  render->add_option("--istio", r.istio);
  render->add_option("--transport", r.transport)->check(CLI::IsMember({"grpc", "http"}));
  render->add_option("--naming", r.naming);
  render->add_option("--sampling", r.sampling, "percent; none: Istio's default");
  render->add_flag("--no-spawn", r.no_spawn);
  render->add_flag("--mesh-client", r.mesh_client);
  render->add_option("--retry", r.retry, "fqdn of a called service whose calls are retried on 5xx");
  render->add_option("--empty", r.empty, "fqdn of a service without endpoints");
  render->add_option("--out", r.out)->required();
  CLI::App* compare = app.add_subcommand("compare", "compare two captures");
  compare->add_option("expected", c.expected)->required();
  compare->add_option("actual", c.actual)->required();
  compare->add_option("--skip-first", c.skip_first, "leave out so many traces of the expected side");
  compare->add_option("--min-spans", c.min_spans, "leave out traces of the expected side with fewer spans");
  compare->add_option("--rule", c.rule)->check(CLI::IsMember({"exact", "presence", "subset"}));
  compare->add_option("--rate", c.rate, "sampling percentage that both numbers of traces must fit");
  compare->add_option("--sent-expected", c.sent_expected);
  compare->add_option("--sent-actual", c.sent_actual);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Proves that local Envoys export what Istio's proxies do."};
  RenderFlags render_flags;
  CompareFlags compare_flags;
  add_options(app, render_flags, compare_flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageExit;
  }
  if (app.got_subcommand("render")) {
    const auto done = render(render_flags);
    return done ? 0 : report(done.error());
  }
  const auto equal = compare(compare_flags);
  if (!equal) return report(equal.error());
  return *equal ? 0 : kDifferent;
}

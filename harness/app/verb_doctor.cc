// doctor: why no trace data appears. Gathers evidence from a cluster without changing it, asks the probes of doctor/ in
// order, prints causes with their fixes.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "app/verbs.h"
#include "doctor/diagnose.h"
#include "mesh/doctor_evidence.h"
#include "mesh/env_record.h"
#include "report/json.h"
#include "store/run_dir.h"

namespace hopcheck::app {
namespace {

struct Flags {
  std::string kubeconfig, env, output = "text", run;
  std::vector<std::string> namespaces;
  int timeout_ms = 2'500;
};

// --kubeconfig, --name, the only standing environment, $KUBECONFIG: the first that is there.
Result<std::string> kubeconfig_path(const Flags& flags) {
  const std::string state_dir = mesh::default_state_dir();
  if (!flags.kubeconfig.empty()) return flags.kubeconfig;
  if (!flags.env.empty()) {
    const Result<mesh::EnvRecord> record = mesh::load_env(state_dir, flags.env);
    if (!record) return tl::unexpected<Error>(record.error());
    return state_dir + "/" + flags.env + "/kubeconfig";
  }
  std::vector<std::string> ids;
  for (const mesh::EnvRecord& record : mesh::list_envs(state_dir)) {
    if (record.kept) ids.push_back(record.id);
  }
  if (ids.size() == 1) return state_dir + "/" + ids.front() + "/kubeconfig";
  if (ids.size() > 1) {
    return fail(ErrorKind::kUsage, "there are several standing environments", "", "name one with --name ID");
  }
  if (const char* named = std::getenv("KUBECONFIG"); named != nullptr && *named != '\0') return std::string(named);
  return fail(ErrorKind::kUsage, "no cluster is named, and there is no standing environment", "",
              "name one: --kubeconfig FILE");
}

void add_findings(const std::vector<Finding>& findings, std::vector<doctor::RunFact>& out) {
  for (const Finding& finding : findings) {
    if (finding.severity != Verdict::kFail) continue;
    const std::string service = finding.subject.service.empty() ? finding.subject.object : finding.subject.service;
    out.push_back({finding.code, service, finding.subject.header, finding.title});
  }
}

Result<std::vector<doctor::RunFact>> facts_of_run(const std::string& path) {
  const auto directory = store::RunDirectory::open(path);
  if (!directory) return tl::unexpected(directory.error());
  const auto text = directory->read_run_json();
  if (!text) return tl::unexpected(text.error());
  const auto result = report::from_json(*text);
  if (!result) return tl::unexpected(result.error());
  std::vector<doctor::RunFact> out;
  add_findings(result->findings, out);
  for (const ScenarioResult& scenario : result->scenarios) add_findings(scenario.findings, out);
  return out;
}

Result<doctor::Diagnosis> examine(const Flags& flags) {
  const Result<std::string> path = kubeconfig_path(flags);
  if (!path) return tl::unexpected<Error>(path.error());
  Result<mesh::Kubeconfig> config = mesh::load_kubeconfig(*path);
  if (!config) return tl::unexpected<Error>(config.error());
  std::optional<std::vector<doctor::RunFact>> run;
  if (!flags.run.empty()) {
    Result<std::vector<doctor::RunFact>> facts = facts_of_run(flags.run);
    if (!facts) return tl::unexpected<Error>(facts.error());
    run = std::move(*facts);
  }
  const std::unique_ptr<mesh::KubeClient> client = mesh::make_kube_client(std::move(*config));
  doctor::ClusterEvidence evidence = mesh::gather_evidence(*client, {flags.namespaces, flags.timeout_ms});
  evidence.run = std::move(run);
  return doctor::diagnose(evidence);
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("doctor", "Name the cause when no trace data appears; changes nothing");
  verb->add_option("--kubeconfig", flags->kubeconfig, "of the cluster (default: the only standing environment's)");
  verb->add_option("--name", flags->env, "id of a standing environment");
  verb->add_option("-n,--namespace", flags->namespaces, "judge the workloads of this namespace alone; repeatable");
  verb->add_option("--run", flags->run, "directory of a run whose findings count too");
  verb->add_option("--timeout-ms", flags->timeout_ms, "of each request to the cluster")
      ->check(CLI::Range(100, 60'000))
      ->capture_default_str();
  verb->add_option("-o,--output", flags->output, "text or json")->check(CLI::IsMember({"text", "json"}));
  verb->callback([flags, &context] {
    const Result<doctor::Diagnosis> diagnosis = examine(*flags);
    if (!diagnosis) {
      context.exit_code = report_error(diagnosis.error());
      return;
    }
    std::fputs((flags->output == "json" ? doctor::to_json(*diagnosis) : doctor::to_text(*diagnosis)).c_str(), stdout);
    context.exit_code = doctor::exit_code_of(*diagnosis);
  });
}

}  // namespace hopcheck::app

// up | down | gc | reaper: environments apart from runs. `up` leaves a standing environment that later runs use (--env
// ID); `down` and `gc` remove only clusters that carry our owner file, and prove that nothing is left. `reaper` is
// hidden: it is how a dying `run` or `up` takes its cluster along (mesh/reaper.h).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/mesh_environment.h"
#include "app/verbs.h"
#include "config/load.h"
#include "mesh/kind_provider.h"
#include "mesh/local_leftovers.h"
#include "mesh/reaper.h"
#include "mesh/timeline.h"
#include "run/environment_plan.h"

namespace hopcheck::app {
namespace {

struct UpFlags {
  std::string istio, images, name;
  std::vector<std::string> image_roles, files;
  uint16_t gateway_port = 0;
  uint64_t seed = 1;
};

struct DownFlags {
  std::string id;
  bool all = false, dry_run = false;
  std::string output;
};

Error usage(const std::vector<config::Problem>& problems) {
  std::string text = config::to_text(problems);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t line_end = text.find('\n');
  return {ErrorKind::kUsage, text.substr(0, line_end), line_end == std::string::npos ? "" : text.substr(line_end + 1),
          ""};
}

// Scenarios of all files, suites expanded.
Result<std::vector<Scenario>> load_files(const std::vector<std::string>& files, const config::SearchPath& search) {
  std::vector<Scenario> out;
  std::vector<config::Problem> problems;
  const auto collect = [&](const std::vector<config::Problem>& found) {
    problems.insert(problems.end(), found.begin(), found.end());
  };
  for (const std::string& file : files) {
    if (config::kind_of_file(file) == "Suite") {
      config::Loaded<Suite> suite = config::load_suite(file, search);
      if (!suite) collect(suite.error());
      for (size_t i = 0; suite && i < suite->entries.size(); ++i) out.push_back(std::move(suite->entries[i].scenario));
    } else {
      config::Loaded<Scenario> scenario = config::load_scenario(file, search);
      if (!scenario) collect(scenario.error());
      if (scenario) out.push_back(std::move(*scenario));
    }
  }
  if (!problems.empty()) return tl::unexpected<Error>(usage(problems));
  return out;
}

Result<void> bring_up(const UpFlags& flags, Context& context) {
  std::vector<std::string> files = flags.files;
  if (files.empty()) files.push_back(context.share + "/scenarios/suites/e2e.yaml");
  Result<std::vector<Scenario>> scenarios = load_files(files, {context.share});
  if (!scenarios) return tl::unexpected<Error>(scenarios.error());
  if (scenarios->empty()) return fail(ErrorKind::kNothing, "the files name no scenario");
  const Result<std::map<std::string, std::string>> overrides = image_overrides(flags.image_roles);
  if (!overrides) return tl::unexpected<Error>(overrides.error());

  mesh::KindOptions options;
  options.share = context.share;
  options.executable = context.executable;
  options.images_file = flags.images;
  options.image_overrides = *overrides;
  options.istio = flags.istio;
  options.id = flags.name;
  options.gateway_port = flags.gateway_port;
  options.topology_to_yaml = [](const Topology& topology) { return config::to_yaml(topology); };
  const auto profiles = config::load_profiles({context.share});
  if (!profiles) return tl::unexpected<Error>(usage(profiles.error()));
  mesh::KindOptions without_id = options;  // which is that of an environment yet to come
  without_id.id.clear();
  const Result<std::string> istio = mesh::istio_version_of(without_id);
  if (!istio) return tl::unexpected<Error>(istio.error());
  if (auto settled = settle_spawn(*profiles, *istio, *scenarios); !settled) return settled;
  const Result<run::EnvironmentPlan> plan = run::plan_environment(*scenarios, flags.istio, flags.seed);
  if (!plan) return tl::unexpected<Error>(plan.error());
  const Result<void> checked = mesh::preflight(options, *context.stop);
  if (!checked) return checked;
  Result<std::unique_ptr<mesh::KindProvider>> provider = mesh::KindProvider::create(options, *context.stop);
  if (!provider) return tl::unexpected<Error>(provider.error());
  mesh::Timeline timeline(stderr);
  Result<void> done = (*provider)->ensure(plan->groups.front(), timeline, *context.stop);
  if (done) done = (*provider)->keep();
  std::fputs(timeline.table().c_str(), stderr);
  if (!done) {
    const Result<void> removed = (*provider)->release(timeline);
    if (!removed) std::fputs(to_text(removed.error()).c_str(), stderr);
    return done;
  }
  std::printf("%s\n", (*provider)->record().id.c_str());
  std::fprintf(stderr, "environment %s is up; use it: hopcheck run ... --env %s; look inside: export KUBECONFIG=%s\n",
               (*provider)->record().id.c_str(), (*provider)->record().id.c_str(), (*provider)->kubeconfig().c_str());
  return {};
}

// Deletes the cluster (if there is one) and the environment's folder.
Result<void> remove_environment(const std::string& id, Context& context) {
  const Result<mesh::Tools> tools = mesh::find_tools();
  if (!tools) return tl::unexpected<Error>(tools.error());
  const std::unique_ptr<mesh::ProcessRunner> runner = mesh::make_process_runner();
  const std::string state_dir = mesh::default_state_dir(), dir = state_dir + "/" + id;
  const Result<std::vector<mesh::FoundCluster>> clusters =
      mesh::find_clusters(*runner, *tools, state_dir, *context.stop);
  if (!clusters) return tl::unexpected<Error>(clusters.error());
  for (const mesh::FoundCluster& cluster : *clusters) {
    if (cluster.name != "hopcheck-" + id) continue;
    if (!cluster.owner) {
      return fail(ErrorKind::kEnvironment, "cluster " + cluster.name + " is not ours",
                  "its node mounts no owner file of hopcheck",
                  "if you made it: kind delete cluster --name " + cluster.name);
    }
    const Result<void> private_dir = mesh::make_private_dir(dir);
    if (!private_dir) return private_dir;
    const Result<void> deleted =
        mesh::delete_cluster(*runner, *tools, {cluster.name, dir + "/kubeconfig"}, *context.stop);
    if (!deleted) return deleted;
  }
  std::error_code error;
  std::filesystem::remove_all(dir, error);
  if (error) return fail(ErrorKind::kEnvironment, "cannot remove " + dir, error.message());
  return {};
}

Result<void> take_down(const DownFlags& flags, Context& context) {
  std::vector<std::string> ids;
  const std::vector<mesh::EnvRecord> known = mesh::list_envs(mesh::default_state_dir());
  for (const mesh::EnvRecord& record : known) {
    if (record.kept && (flags.all || flags.id.empty())) ids.push_back(record.id);
  }
  if (!flags.id.empty()) {
    const Result<mesh::EnvRecord> record = mesh::load_env(mesh::default_state_dir(), flags.id);
    if (!record) return tl::unexpected<Error>(record.error());
    ids = {flags.id};
  }
  if (ids.size() > 1 && !flags.all) {
    std::string names;
    for (const std::string& id : ids) names += " " + id;
    return fail(ErrorKind::kUsage, "there are several environments:" + names, "",
                "name one with --env ID, or say --all");
  }
  if (ids.empty()) std::fputs("there is no standing environment\n", stderr);
  for (const std::string& id : ids) {
    const Result<void> removed = remove_environment(id, context);
    if (!removed) return removed;
    std::fprintf(stderr, "environment %s is gone: no container and no volume of it is left\n", id.c_str());
  }
  return {};
}

struct Orphan {
  std::string id, cluster, created;  // cluster: "local" for a local mesh
  bool removed = false;
};

void print_orphans(const std::vector<Orphan>& orphans, const std::string& output) {
  if (output == "json") {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Orphan& orphan : orphans) {
      list.push_back(
          {{"id", orphan.id}, {"cluster", orphan.cluster}, {"created", orphan.created}, {"removed", orphan.removed}});
    }
    std::printf("%s\n", nlohmann::ordered_json{{"orphans", list}}.dump().c_str());
    return;
  }
  for (const Orphan& orphan : orphans) {
    std::printf("%s\t%s\t%s\t%s\n", orphan.id.c_str(), orphan.cluster.c_str(), orphan.created.c_str(),
                orphan.removed ? "removed" : "left (dry run)");
  }
  if (orphans.empty()) std::fputs("nothing to collect\n", stderr);
}

// A cluster is an orphan when it is ours by name and owner file, is no standing environment, and its process is gone.
Result<void> collect_clusters(const DownFlags& flags, Context& context, std::vector<Orphan>& all) {
  const Result<mesh::Tools> tools = mesh::find_tools();
  if (!tools) {
    // Without these nobody made a cluster here, or nobody can remove it now.
    std::fprintf(stderr, "clusters are not looked at: %s\n", tools.error().what.c_str());
    return {};
  }
  const std::unique_ptr<mesh::ProcessRunner> runner = mesh::make_process_runner();
  const Result<void> docker = mesh::check_docker(*runner, *tools, *context.stop);
  if (!docker) return docker;
  const std::string state_dir = mesh::default_state_dir();
  const Result<std::vector<mesh::FoundCluster>> clusters =
      mesh::find_clusters(*runner, *tools, state_dir, *context.stop);
  if (!clusters) return tl::unexpected<Error>(clusters.error());
  std::vector<Orphan> orphans;
  for (const mesh::FoundCluster& cluster : *clusters) {
    if (cluster.owner && !cluster.kept && !cluster.alive)
      orphans.push_back({cluster.owner->env, cluster.name, cluster.owner->created, false});
  }
  for (const mesh::EnvRecord& record : mesh::list_envs(state_dir)) {  // folders whose cluster is gone already
    bool found = false;
    for (const mesh::FoundCluster& cluster : *clusters) found = found || cluster.name == record.cluster;
    const Result<std::string> text = mesh::read_small(state_dir + "/" + record.id + "/owner.json");
    const std::optional<mesh::Owner> owner = text ? mesh::owner_from_json(*text) : std::nullopt;
    if (!found && !(owner && mesh::owner_alive(*owner))) orphans.push_back({record.id, "", record.created, false});
  }
  for (Orphan& orphan : orphans) {
    if (flags.dry_run) continue;
    const Result<void> removed = remove_environment(orphan.id, context);
    if (!removed) return removed;
    orphan.removed = true;
  }
  all.insert(all.end(), orphans.begin(), orphans.end());
  return {};
}

// Local meshes whose process and reaper were both killed.
Result<void> collect_local(const DownFlags& flags, std::vector<Orphan>& all) {
  for (const mesh::LocalLeftover& leftover : mesh::list_local_leftovers(mesh::default_state_dir())) {
    all.push_back({leftover.id, "local", leftover.created, false});
    if (flags.dry_run) continue;
    const Result<void> removed = mesh::remove_local_leftover(leftover);
    if (!removed) return removed;
    all.back().removed = true;
  }
  return {};
}

Result<void> collect_garbage(const DownFlags& flags, Context& context) {
  std::vector<Orphan> orphans;
  const Result<void> local = collect_local(flags, orphans);
  const Result<void> clusters = collect_clusters(flags, context, orphans);
  print_orphans(orphans, flags.output);
  return local ? clusters : local;
}

void finish(Context& context, const Result<void>& result) {
  context.exit_code = result ? 0 : report_error(result.error());
}

void add_up(CLI::App& app, Context& context) {
  auto flags = std::make_shared<UpFlags>();
  CLI::App* verb = app.add_subcommand("up", "Make a standing environment and print its id");
  verb->add_option("files", flags->files, "scenarios or suites it must fit (default: scenarios/suites/e2e.yaml)");
  verb->add_option("--istio", flags->istio, "Istio version by dotted prefix")->envname("HOPCHECK_ISTIO");
  verb->add_option("--images", flags->images, "images file laid over kind/images.yaml")->envname("HOPCHECK_IMAGES");
  verb->add_option("--image", flags->image_roles, "ROLE=REF, repeatable");
  verb->add_option("--name", flags->name, "environment id (default: random)");
  verb->add_option("--gateway-port", flags->gateway_port, "loopback port of the gateway (default: a free one)");
  verb->add_option("--seed", flags->seed, "for scenarios that draw");
  verb->callback([flags, &context] { finish(context, bring_up(*flags, context)); });
}

}  // namespace

void add_environment(CLI::App& app, Context& context) {
  add_up(app, context);
  auto down_flags = std::make_shared<DownFlags>();
  CLI::App* down = app.add_subcommand("down", "Remove a standing environment and prove that it is gone");
  down->add_option("--env", down_flags->id, "environment id (default: the only one)");
  down->add_flag("--all", down_flags->all, "every standing environment");
  down->callback([down_flags, &context] { finish(context, take_down(*down_flags, context)); });

  auto gc_flags = std::make_shared<DownFlags>();
  CLI::App* gc = app.add_subcommand("gc", "Remove environments whose process died without removing them");
  gc->add_flag("--dry-run", gc_flags->dry_run, "only list them");
  gc->add_option("-o,--output", gc_flags->output, "json")->check(CLI::IsMember({"json"}));
  gc->callback([gc_flags, &context] { finish(context, collect_garbage(*gc_flags, context)); });

  auto id = std::make_shared<std::string>(), state_dir = std::make_shared<std::string>();
  CLI::App* reaper = app.add_subcommand("reaper", "");
  reaper->group("");  // not listed
  reaper->add_option("--id", *id)->required();
  reaper->add_option("--state-dir", *state_dir)->required();
  auto local = std::make_shared<bool>(false);
  reaper->add_flag("--local", *local);
  reaper->callback([=, &context] {
    context.exit_code = *local ? mesh::local_reaper_main(*id, *state_dir) : mesh::reaper_main(*id, *state_dir);
  });
}

}  // namespace hopcheck::app

#include "app/profile_flags.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "config/load.h"
#include "preview/facts.h"

namespace hopcheck::app {

void add_profile_flags(CLI::App& verb, ProfileFlags& flags) {
  verb.add_option("--topology", flags.topology, "name in fixtures/topologies, or a path")->capture_default_str();
  verb.add_option("--entry", flags.entry, "gateway, mesh, unmeshed, direct")
      ->check(CLI::IsMember({"gateway", "mesh", "unmeshed", "direct"}))
      ->capture_default_str();
  std::vector<std::string> modes;
  for (const NamingMode mode : preview::kModes) modes.emplace_back(to_string(mode));
  verb.add_option("--naming", flags.naming, fmt::format("{}", fmt::join(modes, ", ")))
      ->check(CLI::IsMember(modes))
      ->capture_default_str();
  verb.add_option("--gateway-spawn", flags.spawn, "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY: default, on, off")
      ->check(CLI::IsMember({"default", "on", "off"}))
      ->capture_default_str();
  verb.add_option("-o,--output", flags.output, "json")->check(CLI::IsMember({"json"}));
}

Result<std::vector<MeshProfile>> read_profiles(const Context& context) {
  auto profiles = config::load_profiles({context.share});
  if (!profiles)
    return fail(ErrorKind::kUsage, "the mesh profiles are not valid\n" + config::to_text(profiles.error()));
  return std::move(*profiles);
}

Result<const MeshProfile*> pick_profile(const std::vector<MeshProfile>& profiles, const std::string& name) {
  std::vector<std::string> names;
  for (const MeshProfile& profile : profiles) {
    if (profile.name == name || profile.istio_minor == name) return &profile;
    names.push_back(profile.name);
  }
  const std::string prefix = "istio-";
  std::string note;
  const std::string version = name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name;
  if (preview::minor_number(version) >= 0) {
    const auto known = plan::profile_for(profiles, version, note);
    if (!known) return known;
  }
  const auto near = name.size() > 64 ? std::nullopt : nearest(name, names);
  return fail(ErrorKind::kUsage, fmt::format("no mesh profile is called {}", printable(name)),
              fmt::format("fixtures/profiles has {}", fmt::join(names, ", ")),
              near ? fmt::format("did you mean {}?", *near) : "name one of these");
}

Result<preview::Question> question_of(const ProfileFlags& flags, const Context& context) {
  preview::Question question;
  auto topology = config::load_topology(flags.topology, "./", {context.share});
  if (!topology)
    return fail(ErrorKind::kUsage, "the topology is not valid\n" + config::to_text(topology.error()));
  question.topology = std::move(*topology);
  for (const Entry entry : {Entry::kGateway, Entry::kMesh, Entry::kUnmeshed, Entry::kDirect}) {
    if (flags.entry == to_string(entry)) question.entry = entry;
  }
  for (const NamingMode mode : preview::kModes) {
    if (flags.naming == to_string(mode)) question.naming = mode;
  }
  if (flags.spawn != "default") question.gateway_spawn = flags.spawn == "on";
  return question;
}

}  // namespace hopcheck::app

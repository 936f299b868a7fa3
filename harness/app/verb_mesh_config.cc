// mesh-config fields | helm-values: what a MeshConfig says, field by field, and IstioOperators as values of chart
// istiod.
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/verbs.h"
#include "base/text.h"
#include "mesh/mesh_config_fields.h"
#include "store/file_io.h"

namespace hopcheck::app {
namespace {

constexpr size_t kMaxBytes = 4u << 20;

Result<int> print_fields(const std::string& file) {
  const auto text = store::read_named(file, kMaxBytes);
  if (!text) return tl::unexpected(text.error());
  const auto fields = mesh::mesh_config_fields(*text);
  if (!fields) return tl::unexpected(fields.error());
  for (const auto& [path, value] : *fields) fmt::print("{}: {}\n", printable(path), printable(value));
  return 0;
}

Result<int> print_values(const std::vector<std::string>& files) {
  std::vector<std::string> texts;
  for (const std::string& file : files) {
    auto text = store::read_named(file, kMaxBytes);
    if (!text) return tl::unexpected(text.error());
    texts.push_back(std::move(*text));
  }
  const auto values = mesh::helm_values(texts);
  if (!values) return tl::unexpected(values.error());
  std::fputs(values->c_str(), stdout);
  return 0;
}

}  // namespace

void add_mesh_config(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("mesh-config", "MeshConfig field by field; IstioOperators as Helm values");
  verb->require_subcommand(1);
  const auto finish = [&context](const Result<int>& code) {
    context.exit_code = code ? *code : report_error(code.error());
  };
  auto file = std::make_shared<std::string>();
  CLI::App* fields = verb->add_subcommand("fields", "One line for each field, sorted; values of headers hidden");
  fields->add_option("file", *file, "key mesh of ConfigMap istio, as a file")->required();
  fields->callback([file, finish] { finish(print_fields(*file)); });
  auto files = std::make_shared<std::vector<std::string>>();
  CLI::App* values = verb->add_subcommand("helm-values", "The same settings as values of chart istiod");
  values->add_option("-f", *files, "IstioOperator; repeatable, later ones are laid over earlier ones")->required();
  values->callback([files, finish] { finish(print_values(*files)); });
}

}  // namespace hopcheck::app

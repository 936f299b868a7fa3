#include "mesh/doctor_fetch.h"

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "mesh/json_walk.h"

namespace hopcheck::mesh {
namespace {

constexpr size_t kParallel = 8;
constexpr size_t kMaxBody = size_t{32} << 20;

// Paths carry names of objects and nothing secret; the query is of no use to the reader.
std::string place(const std::string& path) { return path.substr(0, path.find('?')); }

Result<KubeResponse> answer_to(KubeClient& client, int64_t timeout_ms, const Fetch& fetch) {
  if (fetch.command) {
    PodCommand command = *fetch.command;
    command.timeout_ms = timeout_ms;
    command.limit = kMaxBody;
    return client.exec(command);
  }
  KubeRequest request;
  request.path = fetch.path;
  request.timeout_ms = timeout_ms;
  request.limit = kMaxBody;
  return client.request(request);
}

void fetch_one(KubeClient& client, int64_t timeout_ms, const Fetch& fetch) {
  Result<KubeResponse> response = answer_to(client, timeout_ms, fetch);
  Fetched& out = *fetch.into;
  if (!response) {
    out.why = "no answer from " + place(fetch.path) + ": " + printable(response.error().why);
    return;
  }
  out.status = response->status;
  if (response->status == 200) {
    out.why.clear();
    out.body = std::move(response->body);
  } else if (response->status == 401) {
    out.why = "the API server refuses the credentials (401)";
  } else if (response->status == 403) {
    out.why = "no permission to get " + place(fetch.path) + " (403)";
  } else {
    out.why = "HTTP " + std::to_string(response->status) + " from " + place(fetch.path);
  }
}

}  // namespace

void fetch_all(KubeClient& client, int64_t timeout_ms, const std::vector<Fetch>& all) {
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(kParallel, all.size()); ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < all.size(); at = next++) fetch_one(client, timeout_ms, all[at]);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::string git_version_of(const std::string& version_body) {
  return printable(text_at(nlohmann::json::parse(version_body, nullptr, false), "gitVersion"));
}

}  // namespace hopcheck::mesh

#include "sink/connections.h"

#include <chrono>
#include <vector>

#include "sink/first_bytes.h"

namespace hopcheck::sink {

OpenConnection::OpenConnection(Connections& shared) : shared_(shared) {
  const std::lock_guard<std::mutex> lock(shared_.mutex_);
  shared_.open_.insert(this);
}

OpenConnection::~OpenConnection() {
  account(0);
  const std::lock_guard<std::mutex> lock(shared_.mutex_);
  shared_.open_.erase(this);
  shared_.gone_.notify_all();
}

void Connections::mismatched(const std::string& what, const std::string& peer, const std::string& detail) {
  service.mismatched(what);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (named_.size() >= kMostNamed || !named_.insert(what + " " + peer).second) return;
  }
  if (log) log(mismatch_text(what, peer, address, detail));
}

size_t Connections::size() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return open_.size();
}

void Connections::close(Close how) {
  std::vector<std::shared_ptr<OpenConnection>> all;  // released outside the lock, which the destructor takes
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (OpenConnection* connection : open_) {
      if (auto alive = connection->weak_from_this().lock()) all.push_back(std::move(alive));
    }
  }
  for (const std::shared_ptr<OpenConnection>& connection : all) connection->close_from_outside(how);
}

bool Connections::wait_until_empty(int64_t timeout_ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  return gone_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return open_.empty(); });
}

}  // namespace hopcheck::sink

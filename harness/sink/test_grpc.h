// A blocking gRPC client for this folder's tests: h2::TestClient on a socket.
#pragma once

#include <string>
#include <vector>

#include "h2/test_client.h"
#include "sink/test_client.h"

namespace hopcheck::sink {

inline const std::string kExportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
inline const std::vector<h2::Field> kGrpcFields{{"content-type", "application/grpc"}, {"te", "trailers"}};

inline std::vector<h2::Field> with(const std::string& name, const std::string& value) {
  std::vector<h2::Field> out = kGrpcFields;
  out.push_back({name, value});
  return out;
}

class GrpcClient {
 public:
  explicit GrpcClient(uint16_t port) : wire_(port) {}

  int32_t begin(const std::string& body, const std::vector<h2::Field>& fields = kGrpcFields,
                const std::string& path = kExportPath, h2::TestClient::End end = h2::TestClient::End::kWithBody) {
    return client_.request("POST", path, fields, body, end);
  }
  void reset_stream(int32_t stream) { client_.reset(stream); }
  void flush() { wire_.send(client_.output()); }
  // Until the stream is closed, or the connection.
  h2::TestAnswer wait(int32_t stream) {
    while (!client_.answers[stream].closed && !is_answered(stream)) {
      flush();
      const std::string bytes = wire_.some();
      if (bytes.empty()) break;
      client_.receive(bytes);
    }
    flush();
    return client_.answers[stream];
  }
  h2::TestAnswer call(const std::string& body, const std::vector<h2::Field>& fields = kGrpcFields,
                      const std::string& path = kExportPath) {
    return wait(begin(body, fields, path));
  }
  bool ended() {
    for (std::string bytes = wire_.some(); !bytes.empty(); bytes = wire_.some()) client_.receive(bytes);
    return wire_.ended();
  }
  bool went_away() const { return client_.went_away; }

 private:
  // An early answer: the server ended its half while ours is open.
  bool is_answered(int32_t stream) { return !client_.answers[stream].field("grpc-status").empty(); }

  TestClient wire_;
  h2::TestClient client_;
};

}  // namespace hopcheck::sink

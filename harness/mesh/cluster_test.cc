// Clusters, ownership and preflight against a fake docker and kind.
#include "mesh/cluster.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "mesh/preflight.h"
#include "mesh/process_fake.h"

namespace hopcheck::mesh {
namespace {

const std::atomic<bool> kNever{false};

class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "/cluster_test_" + random_hex(4);
    ASSERT_TRUE(make_private_dir(dir_).has_value());
    tools_.docker = "docker";
    tools_.kind = "kind";
    tools_.kubectl = "kubectl";
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // A container whose owner file belongs to environment `env`; "" = mounts none.
  void container(const std::string& id, const std::string& env, Owner owner) {
    std::string mounts = R"([{"Type":"volume","Name":"vol-)" + id + R"(","Destination":"/var"})";
    if (!env.empty()) {
      owner.env = env;
      const std::string file = dir_ + "/owner-" + id + ".json";
      ASSERT_TRUE(write_private(file, to_json(owner)).has_value());
      mounts += R"(,{"Type":"bind","Source":")" + file + R"(","Destination":"/etc/hopcheck/owner.json"})";
    }
    fake_.on({"inspect", id}, 0, mounts + "]\n");
  }

  bool called(const std::string& words) const {
    for (const std::string& call : fake_.calls()) {
      if (call.find(words) != std::string::npos) return true;
    }
    return false;
  }

  std::string dir_;
  Tools tools_;
  FakeProcessRunner fake_;
};

TEST_F(ClusterTest, CreationUsesItsOwnKubeconfig) {
  fake_.on({"kind create"}, 0);
  ASSERT_TRUE(
      create_cluster(fake_, tools_, {"hopcheck-aa", "node:1", "/e/kind.yaml", "/e/kubeconfig"}, kNever).has_value());
  EXPECT_EQ(fake_.calls()[0],
            "kind create cluster --name hopcheck-aa --image node:1 --config /e/kind.yaml --kubeconfig /e/kubeconfig "
            "--wait 0s");
}

TEST_F(ClusterTest, OnlyClustersWithOurOwnerFileAreOurs) {
  fake_.on({"ps -a "}, 0, "c1 hopcheck-aa\nc2 hopcheck-bb\nc3 kind\nc4 hopcheck-cc\nc5 hopcheck-dd\n");
  container("c1", "aa", owner_of_this_process("aa", "r"));
  container("c2", "", {});
  container("c4", "zz", owner_of_this_process("zz", "r"));  // the file says another name
  Owner dead = owner_of_this_process("dd", "r");
  dead.pid_start += 1;
  container("c5", "dd", dead);
  const auto found = find_clusters(fake_, tools_, dir_, kNever);
  ASSERT_TRUE(found.has_value()) << to_text(found.error());
  ASSERT_EQ(found->size(), 4u) << "a cluster that is not named hopcheck-* is not even looked at";
  EXPECT_TRUE((*found)[0].owner && (*found)[0].alive);
  EXPECT_FALSE((*found)[1].owner.has_value());
  EXPECT_FALSE((*found)[2].owner.has_value());
  EXPECT_TRUE((*found)[3].owner && !(*found)[3].alive);
  EXPECT_FALSE(called("inspect --format {{json .Mounts}} c3"));
}

TEST_F(ClusterTest, DeletionProvesThatNothingIsLeft) {
  fake_.on({"ps -aq"}, 0, "c1\n");
  container("c1", "aa", owner_of_this_process("aa", "r"));
  fake_.on({"kind delete cluster --name hopcheck-aa --kubeconfig /e/kubeconfig"}, 0);
  const Result<void> left = delete_cluster(fake_, tools_, {"hopcheck-aa", "/e/kubeconfig"}, kNever);
  ASSERT_FALSE(left.has_value()) << "the fake still lists the container";
  EXPECT_EQ(left.error().what, "containers of cluster hopcheck-aa are left: c1");
}

TEST_F(ClusterTest, AClusterWithoutOurOwnerFileIsLeftAlone) {
  fake_.on({"ps -aq"}, 0, "c1\n");
  container("c1", "", {});
  const Result<void> refused = delete_cluster(fake_, tools_, {"hopcheck-aa", "/e/kubeconfig"}, kNever);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().what, "cluster hopcheck-aa is not ours and was left alone");
  EXPECT_FALSE(called("kind delete"));
  EXPECT_FALSE(check_name_free(fake_, tools_, "hopcheck-aa", kNever).has_value());
}

TEST_F(ClusterTest, DeletingWhatIsGoneIsNoError) {
  fake_.on({"ps -aq"}, 0, "");
  fake_.on({"kind delete"}, 0);
  EXPECT_TRUE(delete_cluster(fake_, tools_, {"hopcheck-aa", "/e/kubeconfig"}, kNever).has_value());
  EXPECT_TRUE(check_name_free(fake_, tools_, "hopcheck-aa", kNever).has_value());
}

TEST_F(ClusterTest, ImagesAreStreamedAndElseLoadedByKind) {
  fake_.on({"ctr version"}, 0);
  fake_.on({"images import"}, 1, "", "ctr: content digest not found\n");
  fake_.on({"kind load docker-image --name hopcheck-aa a:1 b:2"}, 0);
  ASSERT_TRUE(load_images_into(fake_, tools_, "hopcheck-aa", {"a:1", "b:2"}, 1000, kNever).has_value());
  EXPECT_TRUE(called("exec -i hopcheck-aa-control-plane ctr --namespace=k8s.io images import"));
}

TEST_F(ClusterTest, ANodeThatNeverComesIsAnError) {
  fake_.on({"ctr version"}, 1, "", "Error: No such container: hopcheck-aa-control-plane\n");
  const Result<void> waited = load_images_into(fake_, tools_, "hopcheck-aa", {"a:1"}, 1, kNever);
  ASSERT_FALSE(waited.has_value());
  EXPECT_EQ(waited.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(waited.error().why, "Error: No such container: hopcheck-aa-control-plane");
}

std::string docker_error(int code, const std::string& err) {
  FakeProcessRunner fake;
  fake.on({"version"}, code, "", err);
  Tools tools;
  tools.docker = "docker";
  const Result<void> checked = check_docker(fake, tools, kNever);
  return checked ? "" : to_text(checked.error());
}

TEST(Preflight, DockerThatDoesNotAnswer) {
  EXPECT_EQ(docker_error(0, ""), "");
  EXPECT_EQ(
      docker_error(
          1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"),
      "error: Docker does not answer\n"
      "  why: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"
      "  fix: start the daemon (systemctl start docker), or set DOCKER_HOST\n");
  EXPECT_EQ(docker_error(1, "permission denied while trying to connect to the Docker daemon socket\n"),
            "error: no permission to use Docker\n"
            "  why: permission denied while trying to connect to the Docker daemon socket\n"
            "  fix: add your user to the group docker, or run as root\n");
  EXPECT_EQ(docker_error(125, ""),
            "error: Docker does not answer\n  why: docker version ended with exit code 125 and said nothing\n"
            "  fix: start the daemon (systemctl start docker), or set DOCKER_HOST\n");
}

// A daemon that takes the connection and never answers.
TEST(Preflight, DockerThatHangs) {
  class Hanging final : public ProcessRunner {
    Result<ProcessResult> run(const ProcessSpec&, const std::atomic<bool>&) override {
      ProcessResult result;
      result.signal = 15;
      result.timed_out = true;
      return result;
    }
  } hanging;
  Tools tools;
  tools.docker = "docker";
  const Result<void> checked = check_docker(hanging, tools, kNever);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(to_text(checked.error()),
            "error: Docker does not answer\n  why: no answer within 10 s\n"
            "  fix: restart the daemon (systemctl restart docker), or set DOCKER_HOST\n");
}

// --image refuses the roles of Istio's images, so the fix must not name it.
TEST(Preflight, MissingIstioImageNamesAFixThatWorks) {
  FakeProcessRunner fake;
  fake.on({"image inspect"}, 1, "", "No such image\n");
  Tools tools;
  tools.docker = "docker";
  std::vector<NeededImage> images{{"proxyv2", "hub/proxyv2:1.30.3", ""}};
  const Result<void> missing = provide_images(fake, tools, "Never", images, kNever);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().fix,
            "docker load it, or pick a version that is at hand with --istio, or name another hub with --images FILE");
}

TEST(Preflight, MissingImagesNameTheFix) {
  FakeProcessRunner fake;
  fake.on({"image inspect", "here:1"}, 0, "sha256:abc\n");
  fake.on({"image inspect", "gone:1"}, 1, "", "No such image\n");
  fake.on({"pull"}, 1, "", "Error response from daemon: no such host\n");
  Tools tools;
  tools.docker = "docker";
  std::vector<NeededImage> images{{"node", "here:1", ""}, {"collector", "gone:1", ""}};
  const Result<void> never = provide_images(fake, tools, "Never", images, kNever);
  ASSERT_FALSE(never.has_value());
  EXPECT_EQ(images[0].id, "sha256:abc");
  EXPECT_EQ(to_text(never.error()),
            "error: image gone:1 (collector) is missing\n  why: pullPolicy is Never\n"
            "  fix: docker load it, or name another with --image collector=REF or --images FILE\n");
  const Result<void> pulled = provide_images(fake, tools, "IfNotPresent", images, kNever);
  ASSERT_FALSE(pulled.has_value());
  EXPECT_EQ(to_text(pulled.error()),
            "error: image gone:1 (collector) is missing and cannot be pulled\n  why: Error response from daemon: no "
            "such host\n"
            "  fix: docker load it, or name another with --image collector=REF or --images FILE\n");
}

TEST(Preflight, WishesAreLeftOutOrdersAreNot) {
  FakeProcessRunner fake;
  fake.on({"image inspect"}, 1);
  fake.on({"pull"}, 1, "", "no network\n");
  Tools tools;
  tools.docker = "docker";
  Images images;
  images.roles = {{"wish", "w:1"}, {"order", "o:1"}};
  images.wishes = {"wish"};
  const auto wish = provide_roles(fake, tools, {&images, {"wish", "unknown"}, RoleRequest::Wishes::kLocalOnly}, kNever);
  ASSERT_TRUE(wish.has_value());
  EXPECT_TRUE(wish->empty());
  for (const std::string& call : fake.calls()) EXPECT_EQ(call.find("pull"), std::string::npos) << call;
  EXPECT_FALSE(provide_roles(fake, tools, {&images, {"order"}, RoleRequest::Wishes::kLocalOnly}, kNever).has_value());
}

TEST(Preflight, TakenPortIsNamed) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const uint16_t port = ntohs(address.sin_port);
  const Result<uint16_t> taken = pick_port(port);
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(to_text(taken.error()),
            "error: port 127.0.0.1:" + std::to_string(port) +
                " cannot be used for the gateway\n  why: another program listens there\n"
                "  fix: end that program (ss -ltnp), or leave --gateway-port out: a free port is then chosen\n");
  ::close(fd);
  const Result<uint16_t> free_port = pick_port(0);
  ASSERT_TRUE(free_port.has_value());
  EXPECT_GT(*free_port, 1023);
}

TEST(Preflight, IstioctlNamedInTheFileMustBeThere) {
  IstioVersion istio;
  istio.istioctl = "/nonexistent/istioctl";
  const Result<std::string> found = find_istioctl(istio);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().what, "istioctl not found: /nonexistent/istioctl");
  istio.istioctl = "/bin/sh";
  EXPECT_EQ(find_istioctl(istio).value(), "/bin/sh");
}

}  // namespace
}  // namespace hopcheck::mesh

#include "mesh/step_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

#include "mesh/timeline.h"

namespace hopcheck::mesh {
namespace {

const std::atomic<bool> kNever{false};
using Stop = const std::atomic<bool>&;

struct Order {
  std::mutex mutex;
  std::vector<std::string> names;
  StepGraph::Body say(const std::string& name) {
    return [this, name](Stop) {
      const std::lock_guard<std::mutex> lock(mutex);
      names.push_back(name);
      return Result<void>();
    };
  }
};

Result<void> wait_for_stop(Stop stop) {
  for (int i = 0; i < 1000 && !stop.load(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return stop.load() ? Result<void>(fail(ErrorKind::kInterrupted, "stopped")) : Result<void>();
}

TEST(StepGraph, StepsWaitForWhatTheyNeed) {
  Order order;
  Timeline log(nullptr);
  StepGraph graph;
  const size_t a = graph.add("a", {}, order.say("a"));
  const size_t b = graph.add("b", {a}, order.say("b"));
  graph.add("c", {a, b}, order.say("c"));
  ASSERT_TRUE(graph.run(log, kNever).has_value());
  EXPECT_EQ(order.names, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(StepGraph, IndependentStepsOverlap) {
  Timeline log(nullptr);
  StepGraph graph;
  std::atomic<int> here{0};
  const auto meet = [&](Stop) {
    ++here;
    for (int i = 0; i < 500 && here.load() < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return here.load() == 2 ? Result<void>() : Result<void>(fail(ErrorKind::kInternal, "ran alone"));
  };
  graph.add("a", {}, meet);
  graph.add("b", {}, meet);
  EXPECT_TRUE(graph.run(log, kNever).has_value());
}

TEST(StepGraph, FirstFailureStopsTheRestAndIsReported) {
  Timeline log(nullptr);
  StepGraph graph;
  std::atomic<bool> ran{false};
  graph.add("long", {}, wait_for_stop);
  const size_t bad = graph.add("bad", {}, [](Stop) { return Result<void>(fail(ErrorKind::kEnvironment, "broken")); });
  graph.add("never", {bad}, [&](Stop) {
    ran = true;
    return Result<void>();
  });
  const Result<void> result = graph.run(log, kNever);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().what, "broken") << "not the step that was merely interrupted";
  EXPECT_FALSE(ran.load());
  EXPECT_NE(log.table().find("long (interrupted)"), std::string::npos) << log.table();
  EXPECT_NE(log.table().find("bad (failed)"), std::string::npos) << log.table();
}

TEST(StepGraph, StopFromOutsideInterrupts) {
  Timeline log(nullptr);
  StepGraph graph;
  std::atomic<bool> stop{false};
  graph.add("long", {}, wait_for_stop);
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop = true;
  });
  const Result<void> result = graph.run(log, stop);
  stopper.join();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::kInterrupted);
}

TEST(StepGraph, CriticalPathCountsToolsAlongTheLongestChain) {
  Timeline log(nullptr);
  StepGraph graph;
  const auto takes = [](int ms) {
    return [ms](Stop) {
      std::this_thread::sleep_for(std::chrono::milliseconds(ms));
      return Result<void>();
    };
  };
  const size_t cluster = graph.add("cluster", {}, takes(40), StepGraph::Time::kTool);
  const size_t ours = graph.add("ours", {cluster}, takes(60));
  graph.add("istio", {cluster}, takes(10), StepGraph::Time::kTool);
  graph.add("demo", {ours}, takes(30), StepGraph::Time::kTool);
  ASSERT_TRUE(graph.run(log, kNever).has_value());
  const StepGraph::CriticalPath path = graph.critical_path();
  EXPECT_EQ(path.steps, (std::vector<std::string>{"cluster", "demo"}));
  EXPECT_GE(path.tools_nanos, 70'000'000);
  EXPECT_GE(path.wall_nanos, path.tools_nanos + 60'000'000);
}

TEST(StepGraph, CriticalPathIsSaidInOneLine) {
  EXPECT_EQ(to_text(StepGraph::CriticalPath{48'000'000'000, 40'000'000'000, {"kind cluster", "istioctl install"}}),
            "wall 48.0 s, 1.20 times the tools' own critical path of 40.0 s (kind cluster, istioctl install)");
  EXPECT_EQ(to_text(StepGraph::CriticalPath{1'500'000'000, 0, {}}), "wall 1.5 s");
}

TEST(StepGraph, EmptyGraphIsDone) {
  Timeline log(nullptr);
  EXPECT_TRUE(StepGraph().run(log, kNever).has_value());
}

}  // namespace
}  // namespace hopcheck::mesh

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

TEST(StepGraph, EmptyGraphIsDone) {
  Timeline log(nullptr);
  EXPECT_TRUE(StepGraph().run(log, kNever).has_value());
}

}  // namespace
}  // namespace hopcheck::mesh

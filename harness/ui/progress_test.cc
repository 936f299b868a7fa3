// The progress printer against a clock that only the test moves.
#include "ui/progress.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace hopcheck::ui {
namespace {

class ManualClock final : public Clock {
 public:
  int64_t monotonic_nanos() const override { return now; }
  int64_t wall_unix_nanos() const override { return now; }
  void advance_ms(int64_t ms) { now += ms * 1'000'000; }
  int64_t now = 5'000'000'000;
};

struct Printer {
  explicit Printer(ProgressOptions options)
      : progress(std::make_unique<Progress>(options, clock, [this](std::string_view text) { out += text; })) {}
  std::string take() { return std::exchange(out, {}); }
  ManualClock clock;
  std::string out;
  std::unique_ptr<Progress> progress;
};

ProgressOptions with(ProgressMode mode) {
  ProgressOptions options;
  options.mode = mode;
  return options;
}

TEST(Progress, PlainHasALinePerStepAndPerPhase) {
  Printer p(with(ProgressMode::kPlain));
  p.progress->phase("deploy");
  const size_t cluster = p.progress->begin("cluster");
  const size_t istio = p.progress->begin("istioctl \x1b[31minstall");
  EXPECT_NE(cluster, 0u);
  p.clock.advance_ms(1500);
  p.progress->end(istio, "failed");
  p.clock.advance_ms(500);
  p.progress->end(cluster, "ok");
  p.progress->end(cluster, "ok");  // twice: ignored
  p.progress->note("drainDuration: 5s");
  p.progress->phase("drive");
  p.progress->counters({50, 100, 49.6, 600});
  p.clock.advance_ms(1000);
  p.progress.reset();
  EXPECT_EQ(p.take(),
            "    1.5s  deploy: istioctl \\x1b[31minstall (failed)\n"
            "      2s  deploy: cluster\n"
            "          note: drainDuration: 5s\n"
            "      2s  deploy\n"
            "      1s  drive  50/100  50/s  600 spans\n");
}

TEST(Progress, PlainBeatsEveryThirtySeconds) {
  Printer p(with(ProgressMode::kPlain));
  p.progress->phase("drive");
  p.progress->begin("requests");
  for (int second = 0; second < 65; ++second) {
    p.clock.advance_ms(1000);
    p.progress->counters({static_cast<uint64_t>(second + 1), 130, 1, 0});
  }
  EXPECT_EQ(p.take(),
            "     30s  drive: requests  30/130  1/s  100s left\n     60s  drive: requests  60/130  1/s  70s left\n");
  p.clock.advance_ms(30'000);
  p.progress->tick();
  EXPECT_EQ(p.take(), "     95s  drive: requests  65/130  1/s  95s left\n");
}

TEST(Progress, TtyOverprintsOneLineAndClearsIt) {
  ProgressOptions options;
  options.is_tty = true;  // auto becomes tty
  options.width = 31;
  options.color = true;
  Printer p(options);
  p.progress->phase("drive");
  EXPECT_EQ(p.take(), "\r\x1b[K     0ns  drive");
  const size_t step = p.progress->begin("größe and more and more");
  EXPECT_EQ(p.take(), "\r\x1b[K     0ns  drive: größe and mor");
  p.clock.advance_ms(50);
  p.progress->counters({1, 2, 0, 0});
  EXPECT_EQ(p.take(), "");  // too soon to draw again
  p.clock.advance_ms(100);
  p.progress->counters({1, 2, 0, 0});
  EXPECT_EQ(p.take().substr(0, 13), "\r\x1b[K   150ms ");
  p.progress->end(step, "failed");
  EXPECT_EQ(p.take(),
            "\r\x1b[K   150ms  drive: größe and more and more\x1b[31m (failed)\x1b[0m\n\r\x1b[K   150ms  drive  1/2  "
            "0s left");
  p.progress.reset();
  EXPECT_EQ(p.take(), "\r\x1b[K   150ms  drive  1/2\n");
}

TEST(Progress, JsonIsOneObjectPerLine) {
  Printer p(with(ProgressMode::kJson));
  p.progress->phase("dri\"ve");
  const size_t step = p.progress->begin("a\\b\n");
  p.clock.advance_ms(1250);
  p.progress->end(step, "ok");
  p.progress->note("n");
  p.progress->counters({3, 4, 2, 9});
  p.clock.advance_ms(30'000);
  p.progress->tick();
  p.progress.reset();
  EXPECT_EQ(p.take(),
            "{\"event\":\"phase\",\"at\":0.000,\"phase\":\"dri\\\"ve\"}\n"
            "{\"event\":\"begin\",\"at\":0.000,\"phase\":\"dri\\\"ve\",\"step\":\"a\\\\b\\\\x0a\"}\n"
            "{\"event\":\"end\",\"at\":1.250,\"phase\":\"dri\\\"ve\",\"step\":\"a\\\\b\\\\x0a\",\"outcome\":\"ok\","
            "\"seconds\":1.250}\n"
            "{\"event\":\"note\",\"at\":1.250,\"phase\":\"dri\\\"ve\",\"text\":\"n\"}\n"
            "{\"event\":\"heartbeat\",\"at\":31.250,\"phase\":\"dri\\\"ve\",\"done\":3,\"total\":4,\"spans\":9}\n");
}

TEST(Progress, NonePrintsNothing) {
  Printer p(with(ProgressMode::kNone));
  p.progress->phase("x");
  p.progress->end(p.progress->begin("y"), "ok");
  p.progress->note("z");
  p.clock.advance_ms(60'000);
  p.progress->tick();
  p.progress.reset();
  EXPECT_EQ(p.take(), "");
}

TEST(Progress, ManyThreadsWriteWholeLines) {
  Printer p(with(ProgressMode::kPlain));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&p] {
      for (int i = 0; i < 50; ++i) {
        p.progress->end(p.progress->begin("step"), "ok");
        p.progress->counters({1, 2, 3, 4});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  size_t lines = 0;
  const std::string text = p.take();
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    EXPECT_EQ(text.substr(at, 15), "     0ns  step\n");
    ++lines;
  }
  EXPECT_EQ(lines, 200u);
}

TEST(Options, ParseAndDecide) {
  EXPECT_EQ(parse_progress_mode("plain"), ProgressMode::kPlain);
  EXPECT_EQ(parse_progress_mode("Plain"), std::nullopt);
  EXPECT_EQ(parse_color_mode("never"), ColorMode::kNever);
  EXPECT_EQ(parse_color_mode(""), std::nullopt);
  EXPECT_TRUE(use_color(ColorMode::kAuto, {true, false}));
  EXPECT_FALSE(use_color(ColorMode::kAuto, {true, true}));
  EXPECT_FALSE(use_color(ColorMode::kAuto, {false, false}));
  EXPECT_TRUE(use_color(ColorMode::kAlways, {false, true}));
  EXPECT_FALSE(use_color(ColorMode::kNever, {true, false}));
}

}  // namespace
}  // namespace hopcheck::ui

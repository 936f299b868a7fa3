// Progress on stderr: what is under way, how far, how fast. One overprinted line on a terminal, one line per step
// and a heartbeat in a pipe, JSON lines for programs, or nothing. Mirrors run::StepLog without including it; app
// adapts. Thread-safe: every method locks; `write` is called under the lock and must not call back. No thread and
// no clock of its own: heartbeats and redraws happen inside calls, so whoever waits calls tick() or counters()
// about once a second.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace hopcheck::ui {

enum class ProgressMode : uint8_t { kAuto, kTty, kPlain, kJson, kNone };
std::optional<ProgressMode> parse_progress_mode(std::string_view text);  // "auto", "tty", "plain", "json", "none"

enum class ColorMode : uint8_t { kAuto, kAlways, kNever };
std::optional<ColorMode> parse_color_mode(std::string_view text);  // "auto", "always", "never"
struct ColorFacts {
  bool is_tty = false;    // of the stream that will be coloured
  bool no_color = false;  // NO_COLOR is set and not empty
};
bool use_color(ColorMode mode, const ColorFacts& facts);

struct ProgressOptions {
  ProgressMode mode = ProgressMode::kAuto;
  bool is_tty = false;  // isatty(stderr); decides kAuto
  bool color = false;
  int width = 80;  // columns of the terminal
};

// How far the drive is; zero fields are left out.
struct Counters {
  uint64_t done = 0, total = 0;
  double rate = 0;     // requests per second, achieved
  uint64_t spans = 0;  // received so far
};

class Progress {
 public:
  using Write = std::function<void(std::string_view)>;
  Progress(ProgressOptions options, const Clock& clock, Write write);
  ~Progress();  // clears an overprinted line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void phase(const std::string& name);    // later steps belong to it; resets the counters
  size_t begin(const std::string& step);  // token for end(), never 0
  void end(size_t token,
           const std::string& outcome);  // ok | failed | interrupted | skipped; unknown tokens are ignored
  void note(const std::string& text);
  void counters(const Counters& counters);
  void tick();

 private:
  struct Step {
    std::string phase, name;
    int64_t started_nanos = 0;
  };
  void draw();
  void clear();
  void line(std::string_view text);
  void event(std::string_view kind, const std::string& fields);
  void heartbeat();
  void finish_phase();
  std::string live_line(int64_t now) const;
  std::string counters_text() const;
  std::string time_left(int64_t now) const;
  std::string label(const Step& step) const;
  int64_t elapsed(int64_t now) const { return now - started_nanos_; }

  const ProgressOptions options_;
  const ProgressMode mode_;
  const Clock& clock_;
  const Write write_;
  std::mutex mutex_;
  std::map<size_t, Step> active_;  // by token, so in order of begin()
  size_t next_token_ = 1;
  std::string phase_;
  Counters counters_;
  int64_t started_nanos_ = 0;
  int64_t phase_started_nanos_ = 0;
  int64_t last_output_nanos_ = 0;
  int64_t last_draw_nanos_ = 0;
  bool drawn_ = false;
};

// Writes to stderr, all of it, ignoring errors (a closed stderr must not stop a run).
void write_stderr(std::string_view text);

}  // namespace hopcheck::ui

#include "ui/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"

namespace hopcheck::ui {
namespace {

constexpr int64_t kHeartbeatNanos = 30'000'000'000;
constexpr int64_t kRedrawNanos = 100'000'000;

ProgressMode settle(const ProgressOptions& options) {
  if (options.mode != ProgressMode::kAuto) return options.mode;
  return options.is_tty ? ProgressMode::kTty : ProgressMode::kPlain;
}

// At most `width` columns; continuation bytes of UTF-8 count none. Printable text only.
std::string cut(const std::string& text, int width) {
  int columns = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (starts && ++columns > width) return text.substr(0, i);
  }
  return text;
}

// printable() leaves valid UTF-8 without control characters: only two characters are left to escape.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::optional<ProgressMode> parse_progress_mode(std::string_view text) {
  if (text == "auto") return ProgressMode::kAuto;
  if (text == "tty") return ProgressMode::kTty;
  if (text == "plain") return ProgressMode::kPlain;
  if (text == "json") return ProgressMode::kJson;
  if (text == "none") return ProgressMode::kNone;
  return std::nullopt;
}

std::optional<ColorMode> parse_color_mode(std::string_view text) {
  if (text == "auto") return ColorMode::kAuto;
  if (text == "always") return ColorMode::kAlways;
  if (text == "never") return ColorMode::kNever;
  return std::nullopt;
}

bool use_color(ColorMode mode, const ColorFacts& facts) {
  if (mode == ColorMode::kAuto) return facts.is_tty && !facts.no_color;
  return mode == ColorMode::kAlways;
}

Progress::Progress(ProgressOptions options, const Clock& clock, Write write)
    : options_(options), mode_(settle(options)), clock_(clock), write_(std::move(write)) {
  started_nanos_ = phase_started_nanos_ = last_output_nanos_ = clock_.monotonic_nanos();
}

Progress::~Progress() {
  const std::lock_guard lock(mutex_);
  finish_phase();
  clear();
}

// One line per phase, when it is over.
void Progress::finish_phase() {
  if (phase_.empty()) return;
  const int64_t now = clock_.monotonic_nanos();
  if (mode_ == ProgressMode::kTty || mode_ == ProgressMode::kPlain) {
    line(fmt::format("{:>8}  {}{}", format_nanos(now - phase_started_nanos_), printable(phase_), counters_text()));
  }
  phase_.clear();
}

void Progress::phase(const std::string& name) {
  const std::lock_guard lock(mutex_);
  finish_phase();
  phase_ = name;
  phase_started_nanos_ = clock_.monotonic_nanos();
  counters_ = {};
  event("phase", "");
  draw();
}

size_t Progress::begin(const std::string& step) {
  const std::lock_guard lock(mutex_);
  const size_t token = next_token_++;
  active_[token] = {phase_, step, clock_.monotonic_nanos()};
  event("begin", ",\"step\":" + quoted(step));
  draw();
  return token;
}

void Progress::end(size_t token, const std::string& outcome) {
  const std::lock_guard lock(mutex_);
  const auto found = active_.find(token);
  if (found == active_.end()) return;
  const Step step = found->second;
  active_.erase(found);
  const int64_t took = clock_.monotonic_nanos() - step.started_nanos;
  if (mode_ == ProgressMode::kTty || mode_ == ProgressMode::kPlain) {
    const std::string remark = outcome == "ok" ? "" : " (" + printable(outcome) + ")";
    const bool red = options_.color && outcome == "failed";
    line(fmt::format("{:>8}  {}{}{}{}", format_nanos(took), printable(label(step)), red ? "\x1b[31m" : "", remark,
                     red ? "\x1b[0m" : ""));
  }
  event("end", fmt::format(",\"step\":{},\"outcome\":{},\"seconds\":{:.3f}", quoted(step.name), quoted(outcome),
                           static_cast<double>(took) / 1e9));
  draw();
}

void Progress::note(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (mode_ == ProgressMode::kTty || mode_ == ProgressMode::kPlain) line("          note: " + printable(text));
  event("note", ",\"text\":" + quoted(text));
  draw();
}

void Progress::counters(const Counters& counters) {
  const std::lock_guard lock(mutex_);
  counters_ = counters;
  const int64_t now = clock_.monotonic_nanos();
  if (mode_ == ProgressMode::kTty && now - last_draw_nanos_ >= kRedrawNanos) draw();
  heartbeat();
}

void Progress::tick() {
  const std::lock_guard lock(mutex_);
  draw();
  heartbeat();
}

void Progress::draw() {
  if (mode_ != ProgressMode::kTty) return;
  const int64_t now = clock_.monotonic_nanos();
  last_draw_nanos_ = now;
  write_("\r\x1b[K" + live_line(now));
  drawn_ = true;
}

void Progress::clear() {
  if (!drawn_) return;
  write_("\r\x1b[K");
  drawn_ = false;
}

void Progress::line(std::string_view text) {
  clear();
  write_(std::string(text) + "\n");
  last_output_nanos_ = clock_.monotonic_nanos();
}

void Progress::event(std::string_view kind, const std::string& fields) {
  if (mode_ != ProgressMode::kJson) return;
  const double at = static_cast<double>(elapsed(clock_.monotonic_nanos())) / 1e9;
  line(fmt::format("{{\"event\":\"{}\",\"at\":{:.3f},\"phase\":{}{}}}", kind, at, quoted(phase_), fields));
}

void Progress::heartbeat() {
  const int64_t now = clock_.monotonic_nanos();
  if (now - last_output_nanos_ < kHeartbeatNanos) return;
  if (mode_ == ProgressMode::kPlain) line(live_line(now));
  event("heartbeat",
        fmt::format(",\"done\":{},\"total\":{},\"spans\":{}", counters_.done, counters_.total, counters_.spans));
}

std::string Progress::live_line(int64_t now) const {
  std::string out = fmt::format("{:>8}  {}", format_nanos(now - phase_started_nanos_), printable(phase_));
  if (!active_.empty()) {
    out += ": " + printable(active_.begin()->second.name);
    if (active_.size() > 1) out += fmt::format(" and {} more", active_.size() - 1);
  }
  out += counters_text() + time_left(now);
  return mode_ == ProgressMode::kTty ? cut(out, std::max(20, options_.width - 1)) : out;
}

std::string Progress::counters_text() const {
  std::string out;
  if (counters_.total > 0) out += fmt::format("  {}/{}", counters_.done, counters_.total);
  if (counters_.rate > 0) out += fmt::format("  {:.0f}/s", counters_.rate);
  if (counters_.spans > 0) out += fmt::format("  {} spans", counters_.spans);
  return out;
}

std::string Progress::time_left(int64_t now) const {
  if (counters_.done == 0 || counters_.done >= counters_.total) return "";
  const double per_request = static_cast<double>(now - phase_started_nanos_) / static_cast<double>(counters_.done);
  const double seconds = per_request * static_cast<double>(counters_.total - counters_.done) / 1e9;
  return fmt::format("  {:.0f}s left", seconds);
}

std::string Progress::label(const Step& step) const {
  return step.phase.empty() ? step.name : step.phase + ": " + step.name;
}

void write_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(STDERR_FILENO, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return;  // a closed terminal must not stop the run
    text.remove_prefix(static_cast<size_t>(done));
  }
}

}  // namespace hopcheck::ui

// capture dump | edit | grow: looking at stored captures, and test tools for the judge (cli-and-reports.md section 1).
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/verbs.h"
#include "base/text.h"
#include "store/capture.h"
#include "store/capture_edit.h"
#include "store/capture_grow.h"

namespace hopcheck::app {
namespace {

constexpr const char* kCodings[] = {"identity", "gzip", "deflate", "zstd"};

struct Flags {
  std::string in, out;
  bool spans = false;
  uint64_t traces = 0;
  std::string span, trace, parent, match, kind;
  uint64_t frame = 0;
  store::CaptureEdit edit;
};

void print_span(const Span& span) {
  const std::string parent = span.parent_id.is_zero() ? std::string(16, '-') : to_hex(span.parent_id);
  fmt::print("  {} {} {} {:<8} {} {} {}{}\n", to_hex(span.trace_id), to_hex(span.span_id), parent, to_string(span.kind),
             printable(span.resource->service_name), printable(span.name),
             format_nanos(static_cast<int64_t>(span.end_unix_nanos - span.start_unix_nanos)),
             span.ids_valid ? "" : " INVALID-IDS");
}

int print_problem(const std::string& problem) {
  std::fputs(("incomplete: " + problem + "\n").c_str(), stderr);
  return exit_code_of(ErrorKind::kEvidence);
}

void print_frame(const store::Frame& frame, bool with_spans) {
  Arena arena;
  std::vector<Span> spans;
  std::string outcome;
  if (frame.status == 200) {
    const auto decoded = store::decode_frame(frame, arena, spans);
    outcome = decoded ? fmt::format(" spans {}", spans.size()) : " UNDECODABLE " + printable(decoded.error().what);
  }
  fmt::print("frame {} arrival {} {} {} {} status {} peer {} bytes {}{}\n", frame.sequence, frame.arrival_unix_nanos,
             frame.transport == store::FrameTransport::kHttp ? "http" : "grpc",
             frame.encoding == otlp::Encoding::kJson ? "json" : "protobuf",
             kCodings[static_cast<size_t>(frame.content_encoding)], frame.status, printable(frame.peer),
             frame.body.size(), outcome);
  if (!with_spans) return;
  for (const auto& [name, value] : frame.headers) fmt::print("  {}: {}\n", printable(name), printable(value));
  for (const Span& span : spans) print_span(span);
}

int dump_native(std::ifstream& file, bool with_spans) {
  store::CaptureParser parser;
  std::string piece(1u << 20, '\0');
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
    const auto fed = parser.feed({piece.data(), static_cast<size_t>(file.gcount())},
                                 [&](const store::Frame& frame) { print_frame(frame, with_spans); });
    if (!fed) return print_problem(fed.error().what);
  }
  if (parser.pending() > 0) return print_problem(fmt::format("torn tail of {} bytes", parser.pending()));
  if (!parser.sealed()) return print_problem("not sealed");
  fmt::print("sealed after {} frames\n", parser.frames());
  return 0;
}

int dump(const Flags& flags) {
  std::ifstream file(flags.in, std::ios::binary);
  char magic[6] = {};
  if (file.read(magic, sizeof magic) && std::string_view(magic, sizeof magic) == "HOPCAP") {
    file.seekg(0);
    return dump_native(file, flags.spans);
  }
  const auto loaded = store::load_capture(flags.in);
  if (!loaded) return report_error(loaded.error());
  for (size_t i = 0; i < loaded->spans.size();) {
    size_t end = i;
    while (end < loaded->spans.size() && loaded->spans[end].frame_sequence == loaded->spans[i].frame_sequence) ++end;
    fmt::print("export {} spans {}\n", loaded->spans[i].frame_sequence, end - i);
    for (; i < end; ++i) {
      if (flags.spans) print_span(loaded->spans[i]);
    }
  }
  for (const std::string& note : loaded->notes) fmt::print("note {}\n", printable(note));
  if (!loaded->complete) return print_problem(loaded->problem);
  fmt::print("read to the end: {} exports, {} spans\n", loaded->bodies.received, loaded->spans.size());
  return 0;
}

// A new file, or stdout for "-"; never over an existing one.
class Output {
 public:
  Result<void> open(const std::string& path) {
    if (path != "-") file_ = std::fopen(path.c_str(), "wbx");
    if (file_ == nullptr)
      return fail(ErrorKind::kUsage, "cannot write " + path, std::strerror(errno), "choose a name that is not in use");
    return {};
  }
  ~Output() {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  }
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  bool write(std::string_view piece) { return std::fwrite(piece.data(), 1, piece.size(), file_) == piece.size(); }
  bool flush() { return std::fflush(file_) == 0; }

 private:
  std::FILE* file_ = stdout;
};

template <class Id>
Result<void> set_id(const std::string& flag, const std::string& hex, std::optional<Id>& out) {
  if (hex.empty()) return {};
  out = id_from_hex<Id>(hex);
  if (!out)
    return fail(ErrorKind::kUsage, fmt::format("{} {} is not {} hex digits", flag, printable(hex), sizeof(Id) * 2));
  return {};
}

Result<void> complete_edit(Flags& flags) {
  store::CaptureEdit& edit = flags.edit;
  auto done = set_id("--span", flags.span, edit.choice.span);
  if (done) done = set_id("--trace", flags.trace, edit.choice.trace);
  if (done) done = set_id("--parent", flags.parent, edit.parent);
  if (done && !flags.match.empty()) done = store::parse_match(flags.match, edit.choice);
  if (!done) return done;
  if (!flags.kind.empty()) {
    edit.new_kind = store::parse_kind(flags.kind);
    if (!edit.new_kind) return fail(ErrorKind::kUsage, "no span kind is called " + printable(flags.kind));
  }
  return {};
}

int edit(Flags& flags) {
  if (const auto done = complete_edit(flags); !done) return report_error(done.error());
  auto exports = store::read_exports(flags.in);
  if (!exports) return report_error(exports.error());
  const auto edited = store::edit_capture(*exports, flags.edit);
  if (!edited) return report_error(edited.error());
  std::string bytes;
  store::write_exports(*exports, [&](std::string_view piece) {
    bytes += piece;
    return true;
  });
  bytes.resize(bytes.size() - edited->cut_bytes);
  Output out;
  if (const auto opened = out.open(flags.out); !opened) return report_error(opened.error());
  if (!out.write(bytes) || !out.flush())
    return report_error({ErrorKind::kEnvironment, "cannot write " + flags.out, std::strerror(errno), ""});
  std::fputs((edited->description + "\n").c_str(), stderr);
  return 0;
}

int grow(const Flags& flags) {
  const auto exports = store::read_exports(flags.in);
  if (!exports) return report_error(exports.error());
  Output out;
  if (const auto opened = out.open(flags.out); !opened) return report_error(opened.error());
  const auto grown =
      store::grow_capture(*exports, flags.traces, [&](std::string_view piece) { return out.write(piece); });
  if (!grown) return report_error(grown.error());
  if (!out.flush())
    return report_error({ErrorKind::kEnvironment, "cannot write " + flags.out, std::strerror(errno), ""});
  fmt::print(stderr, "{} traces, {} spans, {} exports\n", grown->traces, grown->spans, grown->exports);
  return 0;
}

void add_edit(CLI::App& verb, const std::shared_ptr<Flags>& flags, Context& context) {
  CLI::App* sub = verb.add_subcommand("edit", "Apply a named edit to a copy");
  sub->add_option("in", flags->in, "capture.hcl or OTLP JSON lines")->required();
  sub->add_option("out", flags->out, "the copy; - for stdout")->required();
  sub->add_option("--edit", flags->edit.edit, fmt::format("{}", fmt::join(store::edit_names(), ", ")))->required();
  sub->add_option("--span", flags->span, "span id of the span to edit");
  sub->add_option("--trace", flags->trace, "only in this trace");
  sub->add_option("--match", flags->match, "service=S,name=N,kind=K: any of them, instead of --span");
  sub->add_option("--nth", flags->edit.choice.nth, "which of the matching spans, from 0")->capture_default_str();
  sub->add_flag("--all", flags->edit.choice.all, "every matching span");
  sub->add_option("--name", flags->edit.new_name, "new name, for rename-span and set-service-name");
  sub->add_option("--parent", flags->parent, "new parent span id, for reparent");
  sub->add_option("--kind", flags->kind, "new kind, for set-kind");
  sub->add_option("--shift", flags->edit.shift_nanos, "nanoseconds, for shift-time");
  CLI::Option* frame = sub->add_option("--frame", flags->frame, "which frame, for drop-frame; else that of the span");
  sub->callback([flags, frame, &context] {
    if (frame->count() > 0) flags->edit.frame = flags->frame;
    context.exit_code = edit(*flags);
  });
}

}  // namespace

void add_capture(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("capture", "Show, edit and multiply stored captures");
  verb->require_subcommand(1);
  CLI::App* show = verb->add_subcommand("dump", "Print frames, or exports, as lines");
  show->add_option("file", flags->in, "capture.hcl, OTLP JSON lines, or length-prefixed OTLP protobuf")->required();
  show->add_flag("--spans", flags->spans, "and their spans: trace, span and parent id, kind, service, name, duration");
  show->callback([flags, &context] { context.exit_code = dump(*flags); });
  add_edit(*verb, flags, context);
  CLI::App* more = verb->add_subcommand("grow", "Multiply a capture's traces, with fresh ids");
  more->add_option("file", flags->in, "capture.hcl or OTLP JSON lines")->required();
  more->add_option("--traces", flags->traces, "traces wanted")
      ->required()
      ->check(CLI::Range(uint64_t{1}, uint64_t{100'000'000}));
  more->add_option("--out", flags->out, "file to write; - for stdout")->required();
  more->callback([flags, &context] { context.exit_code = grow(*flags); });
  add_capture_profile(*verb, context);
}

}  // namespace hopcheck::app

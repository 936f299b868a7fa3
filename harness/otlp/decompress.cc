// Content codings of HTTP (RFC 9110 section 8.4.1; zstd: RFC 8878, window bound RFC 9659). The output buffer never
// grows beyond the limit, whatever the sizes inside the data claim.
#include <fmt/format.h>
#include <libdeflate.h>
#include <zstd.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "otlp/decode.h"

namespace hopcheck::otlp {

namespace {

constexpr int kMaxWindowLog = 23;  // 8 MiB
constexpr size_t kFirstGuess = 64 * 1024;

tl::unexpected<Error> damaged(const std::string& what) { return fail(ErrorKind::kEvidence, what, "damaged"); }
tl::unexpected<Error> too_large(size_t limit) {
  return fail(ErrorKind::kEvidence, fmt::format("body is larger than {} bytes after decompression", limit),
              "too large");
}

// Malloc'd bytes that grow in steps up to a limit; what is beyond the used part is never touched.
class Output {
 public:
  explicit Output(size_t limit) : limit_(limit) {}
  char* data() { return data_.get(); }
  size_t capacity() const { return capacity_; }
  bool full() const { return capacity_ >= limit_; }
  // At least doubles the room; false when at the limit, or out of memory.
  bool grow(size_t wanted) {
    if (full()) return false;
    const size_t next = std::min(limit_, std::max({capacity_ * 2, wanted, kFirstGuess}));
    void* moved = std::realloc(data_.get(), next);
    if (moved == nullptr) return false;
    data_.release();
    data_.reset(static_cast<char*>(moved));
    capacity_ = next;
    return true;
  }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  size_t limit_;
  size_t capacity_ = 0;
  std::unique_ptr<char, Free> data_;
};

struct FreeDeflate {
  void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};
struct FreeZstd {
  void operator()(ZSTD_DCtx* d) const { ZSTD_freeDCtx(d); }
};

libdeflate_decompressor* deflate_decompressor() {
  thread_local std::unique_ptr<libdeflate_decompressor, FreeDeflate> one(libdeflate_alloc_decompressor());
  return one.get();
}

// The size a gzip member's trailer claims (modulo 2^32); a first guess only.
size_t claimed_size(std::string_view body) {
  uint32_t size = 0;
  if (body.size() >= 4) std::memcpy(&size, body.data() + body.size() - 4, 4);
  return size <= body.size() * 1032 ? size : 0;  // deflate cannot expand more than that
}

// libdeflate wants room for the whole output: on "insufficient space" the member is tried again with more.
Result<std::string_view> inflate_members(std::string_view body, bool gzip, size_t limit, Arena& arena) {
  libdeflate_decompressor* decompressor = deflate_decompressor();
  if (decompressor == nullptr) return fail(ErrorKind::kInternal, "no memory for a decompressor");
  Output output(limit + 1);  // one more, to tell "exactly the limit" from "more"
  size_t used = 0;
  if (!output.grow(gzip ? claimed_size(body) : body.size() * 4)) return too_large(limit);
  while (true) {
    size_t in = 0, out = 0;
    const auto decompress = gzip ? libdeflate_gzip_decompress_ex : libdeflate_zlib_decompress_ex;
    const libdeflate_result result = decompress(decompressor, body.data(), body.size(), output.data() + used,
                                                output.capacity() - used, &in, &out);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
      if (!output.grow(0)) return too_large(limit);
      continue;
    }
    if (result != LIBDEFLATE_SUCCESS)
      return damaged(gzip ? "body is not valid gzip" : "body is not valid deflate (zlib)");
    used += out;
    body.remove_prefix(in);
    if (body.empty()) break;
    if (!gzip) return damaged("bytes after the end of the deflate stream");
    if (static_cast<uint8_t>(body[0]) != 0x1f) return damaged("bytes after the end of the gzip stream");
  }
  if (used > limit) return too_large(limit);
  return arena.copy({output.data(), used});
}

Result<std::string_view> unzstd(std::string_view body, size_t limit, Arena& arena) {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  if (!context) return fail(ErrorKind::kInternal, "no memory for a decompressor");
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  Output output(limit + 1);  // one more, to tell "exactly the limit" from "more"
  if (!output.grow(body.size() * 4)) return too_large(limit);
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  ZSTD_outBuffer out{output.data(), output.capacity(), 0};
  size_t left = 1;  // 0: a frame ended exactly here
  while (in.pos < in.size || left != 0) {
    if (out.pos == out.size) {
      if (!output.grow(0)) return too_large(limit);
      out.dst = output.data();
      out.size = output.capacity();
    }
    const size_t in_before = in.pos, out_before = out.pos;
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) return damaged(fmt::format("body is not valid zstd: {}", ZSTD_getErrorName(left)));
    if (in.pos == in_before && out.pos == out_before && out.pos < out.size) return damaged("zstd body is truncated");
  }
  if (out.pos > limit) return too_large(limit);
  return arena.copy({output.data(), out.pos});
}

}  // namespace

Result<std::string_view> decompress(std::string_view body, ContentEncoding encoding, size_t limit, Arena& arena) {
  switch (encoding) {
    case ContentEncoding::kIdentity: break;
    case ContentEncoding::kGzip: return inflate_members(body, true, limit, arena);
    case ContentEncoding::kDeflate: return inflate_members(body, false, limit, arena);
    case ContentEncoding::kZstd: return unzstd(body, limit, arena);
  }
  if (body.size() > limit) return too_large(limit);
  return body;
}

}  // namespace hopcheck::otlp

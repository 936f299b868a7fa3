#include "report/html_charts.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"

namespace hopcheck::report {

void include(Axis& axis, const Distribution& distribution) {
  for (const Distribution::Bucket& bucket : distribution.buckets) {
    const int64_t upper = std::max<int64_t>(bucket.upper, 1);
    axis.low = axis.low == 1 ? upper : std::min(axis.low, upper);
    axis.high = std::max(axis.high, upper);
  }
}

Html histogram(const Distribution& distribution, const Axis& axis) {
  constexpr int kBins = 50, kWidth = 150, kHeight = 26;
  std::array<uint64_t, kBins> bins{};
  const double low = std::log(static_cast<double>(std::max<int64_t>(axis.low, 1)));
  const double range = std::max(std::log(static_cast<double>(std::max<int64_t>(axis.high, 1))) - low, 1e-9);
  for (const Distribution::Bucket& bucket : distribution.buckets) {
    const double at = (std::log(static_cast<double>(std::max<int64_t>(bucket.upper, 1))) - low) / range;
    bins[static_cast<size_t>(std::clamp(at * (kBins - 1), 0.0, kBins - 1.0))] += bucket.count;
  }
  const uint64_t highest = *std::max_element(bins.begin(), bins.end());
  Html out;
  if (highest == 0) return out.put("<span class=\"muted\">–</span>");
  out.put(
      "<svg class=\"hist\" role=\"img\" viewBox=\"0 0 {0} {1}\"><title>{2} values, half of them up to {3}, 99 % up to "
      "{4}, the largest {5}; "
      "logarithmic from {6} to {7}</title><rect class=\"base\" y=\"{8}\" width=\"{0}\" height=\"1\"/>",
      kWidth, kHeight, distribution.count, format_nanos(distribution.p50), format_nanos(distribution.p99),
      format_nanos(distribution.max), format_nanos(axis.low), format_nanos(axis.high), kHeight - 1);
  for (int i = 0; i < kBins; ++i) {
    if (bins[static_cast<size_t>(i)] == 0) continue;
    const double share = static_cast<double>(bins[static_cast<size_t>(i)]) / static_cast<double>(highest);
    const double height = std::max(1.5, share * (kHeight - 2));
    out.put("<rect x=\"{}\" y=\"{:.1f}\" width=\"2.4\" height=\"{:.1f}\"/>", i * kWidth / kBins, kHeight - 1 - height,
            height);
  }
  return out.put("</svg>");
}

Html timeline_bar(const Stretch& at, const char* css_class) {
  const double from = std::clamp(at.from, 0.0, 1.0), to = std::clamp(at.to, from, 1.0);
  Html out;
  out.put(
      "<svg class=\"gantt\" viewBox=\"0 0 1000 12\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect "
      "class=\"track\" width=\"1000\" "
      "height=\"12\"/><rect class=\"{}\" x=\"{:.1f}\" width=\"{:.1f}\" height=\"12\"/></svg>",
      css_class, from * 1000, std::max(3.0, (to - from) * 1000));
  return out;
}

}  // namespace hopcheck::report

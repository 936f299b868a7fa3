// Findings: what was expected, what came, the two spans that prove it, and the pair of waterfalls.
#include <algorithm>

#include "base/text.h"
#include "report/html_sections.h"
#include "report/html_waterfall.h"

namespace hopcheck::report {
namespace {

const char* sign(Verdict verdict) { return verdict == Verdict::kFail ? "✕" : verdict == Verdict::kUnknown ? "?" : "✓"; }

struct Place {
  FindingRef ref;
  size_t number = 0;
  bool expected = false;
  std::vector<const Exhibit*> exhibits;
};

std::vector<const Exhibit*> exhibits_of(const FindingRef& ref) {
  std::vector<const Exhibit*> list;
  if (!ref.scenario) return list;
  for (const Exhibit& exhibit : ref.scenario->exhibits) {
    if (exhibit.code == ref.finding->code && exhibit.subject == subject_key(ref.finding->subject))
      list.push_back(&exhibit);
  }
  return list;
}

Html claim(const char* label, const std::string& text, bool wide) {
  Html out;
  if (text.empty()) return out;
  return out.put("<div{}><dt>{}</dt><dd>{}</dd></div>", wide ? Html().put(" class=\"wide\"") : Html(), label, text);
}

Html proof(const Finding& f) {
  constexpr size_t kShown = 4;
  Html items;
  for (size_t i = 0; i < f.witnesses.size() && i < kShown; ++i) {
    items.put("<li>trace <code>{}</code> span <code>{}</code></li>", to_hex(f.witnesses[i].trace_id),
              to_hex(f.witnesses[i].span_id));
  }
  Html out;
  if (f.witnesses.empty()) return out;
  const size_t more = f.witnesses.size() > kShown ? f.witnesses.size() - kShown : 0;
  return out.put("<div class=\"wide\"><dt>Witness spans{}</dt><dd><ul>{}</ul></dd></div>",
                 more ? Html().put(" ({} more in run.json)", more) : Html(), items);
}

Html consequences(const Finding& f) {
  constexpr size_t kShown = 8;
  Html items, out;
  for (size_t i = 0; i < f.consequences.size() && i < kShown; ++i) {
    items.put("<li><code>{}</code> {} ({})</li>", f.consequences[i].code, f.consequences[i].subject,
              f.consequences[i].count);
  }
  if (f.consequences.empty()) return out;
  return out.put("<div class=\"wide\"><dt>Consequences, not counted apart</dt><dd><ul>{}</ul></dd></div>", items);
}

// Everything of a finding but its waterfalls; the article stays open for them.
Html opening(const Place& place) {
  const Finding& f = *place.ref.finding;
  const char* tone = place.expected ? "good" : tone_class(f.severity);
  Html out;
  out.put(
      "<article class=\"card finding {0}\" id=\"f{1}\"><header><span class=\"tag {0}\">{2} "
      "{3}</span><h3>{4}</h3></header>",
      tone, place.number, place.expected ? "✓" : sign(f.severity), f.code, f.title);
  const std::string subject = subject_key(f.subject);
  out.put("<p class=\"where\">{}{} · {}{}</p>", place_of(place.ref),
          subject.empty() ? Html() : Html().put(" · <code>{}</code>", subject), counted(f.count, "time"),
          place.expected ? Html().put(" · failed as expected") : Html());
  out.put("<dl class=\"claim\">{}{}{}{}", claim("Expected", f.expected, false), claim("Actual", f.actual, false),
          consequences(f), proof(f));
  return out.put("{}</dl>", claim("What to do", f.hint, true));
}

// The end of the article: where the rule is explained and the command that shows the finding again.
Html closing(const Finding& f) {
  Html out;
  if (!f.reproduce.empty()) out.put("<pre><code>{}</code></pre>", f.reproduce);
  if (!f.page.empty()) out.put("<p class=\"where\">Rule page: <code>{}</code></p>", f.page);
  return out.put("</article>\n");
}

// Chooses which waterfalls fit: the first one of every finding before the second of any.
class Exhibits {
 public:
  Exhibits(const std::vector<Place>& places, size_t limit) : drawn_(places.size()) {
    bool more = true;
    for (size_t round = 0; more && !full_; ++round) {
      more = false;
      for (size_t i = 0; i < places.size() && !full_; ++i) {
        if (round >= places[i].exhibits.size()) continue;
        more = true;
        Html pair = exhibit_pair(*places[i].exhibits[round], count_ + 1);
        full_ = used_ + pair.size() > limit;
        if (full_) continue;
        ++count_;
        used_ += pair.size();
        drawn_[i].push_back(std::move(pair));
      }
    }
  }
  // The first one open, the others folded.
  Html of(size_t i) const {
    Html out;
    for (size_t k = 0; k < drawn_[i].size(); ++k) {
      if (k == 0) {
        out.add(drawn_[i][k]);
      } else {
        out.put("<details><summary>Another request with the same finding</summary>{}</details>", drawn_[i][k]);
      }
    }
    return out;
  }
  size_t count() const { return count_; }
  bool left_out() const { return full_; }

 private:
  std::vector<std::vector<Html>> drawn_;
  size_t used_ = 0, count_ = 0;
  bool full_ = false;
};

Html passing_samples(const RunResult& result, size_t limit, size_t first_number) {
  Limited list(limit);
  for (const ScenarioResult& scenario : result.scenarios) {
    for (const Exhibit& exhibit : scenario.exhibits) {
      if (!exhibit.code.empty() || !list.wants()) continue;
      list.add(
          Html().put("<details class=\"fold\"><summary>A trace of {} that is as it should be</summary><div "
                     "class=\"card finding good\">{}"
                     "</div></details>\n",
                     scenario.name, exhibit_pair(exhibit, ++first_number)));
    }
  }
  return Html().add(list.html()).add(list.remark("passing samples are"));
}

std::vector<Place> places_of(const RunResult& result) {
  std::vector<Place> places;
  for (const FindingRef& ref : numbered(result)) {
    Place place{ref, places.size() + 1, ref.scenario && is_expected(*ref.scenario, *ref.finding), exhibits_of(ref)};
    places.push_back(std::move(place));
  }
  return places;
}

}  // namespace

std::vector<FindingRef> numbered(const RunResult& result) {
  FindingLists lists = findings_of(result);
  std::vector<FindingRef> all = std::move(lists.failed);
  all.insert(all.end(), lists.unknown.begin(), lists.unknown.end());
  all.insert(all.end(), lists.expected.begin(), lists.expected.end());
  return all;
}

Html finding_section(const RunResult& result, size_t limit) {
  const std::vector<Place> places = places_of(result);
  const Exhibits exhibits(places, limit / 2);
  const Html samples = passing_samples(result, limit / 8, exhibits.count());
  Limited open(limit / 4), folded(limit / 8);
  size_t expected = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    expected += places[i].expected;
    Limited& list = places[i].expected ? folded : open;
    if (list.wants()) list.add(opening(places[i]), exhibits.of(i).add(closing(*places[i].ref.finding)));
  }
  Html out;
  out.put("<section id=\"findings\"><h2>Findings</h2>\n");
  if (expected == places.size())
    out.put("<p>{}</p>\n", places.empty() ? "None." : "None but those that were expected.");
  if (exhibits.count() > 0 || samples.size() > 0) out.add(waterfall_legend());
  out.add(open.html()).add(open.remark("findings are"));
  if (exhibits.left_out()) {
    out.put(
        "<p class=\"remark\">Some waterfalls are not shown: this page is limited to 5 MiB. run.json has them.</p>\n");
  }
  if (expected > 0) {
    out.put("<details class=\"fold\"><summary>Failed as expected ({})</summary>{}{}</details>\n", expected,
            folded.html(), folded.remark("expected findings are"));
  }
  return out.add(samples).put("</section>\n");
}

}  // namespace hopcheck::report

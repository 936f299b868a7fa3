// Colours carry good, bad and unsure only; every pair of text and ground meets WCAG AA (html_test.cc computes it
// from here).
#include "report/html_style.h"

#include <openssl/evp.h>

#include <array>

namespace hopcheck::report {
namespace {

constexpr std::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --ground: #f6f6f3; --surface: #ffffff; --sunken: #f0f0ec; --line: #d9dad4; --ink: #1d2125; --muted: #565e68;
  --good: #17703f; --bad: #b42318; --unsure: #855500; --link: #24579e;
  --good-soft: #e6f2ea; --bad-soft: #fbe9e7; --unsure-soft: #faf0da;
  --mesh: #466aa3; --app: #5f6d80; --on-bar: #ffffff; --track: #e6e7e2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --surface: #1b1f24; --sunken: #171a1e; --line: #333a42; --ink: #e3e6e9; --muted: #a0a9b4;
    --good: #62c58f; --bad: #ff8b80; --unsure: #e2b457; --link: #8ab4f0;
    --good-soft: #17291f; --bad-soft: #35201f; --unsure-soft: #2e2717;
    --mesh: #86a9e0; --app: #93a1b5; --on-bar: #14171a; --track: #2a3037;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 3.5rem; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, Inter,
    sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
main, .head, nav > ul { max-width: 1380px; margin: 0 auto; padding: 0 28px; }
a { color: var(--link); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
code, pre, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size:
    .875em; }
h1, h2, h3, h4 { line-height: 1.25; margin: 0; text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .9rem; }
h3 { font-size: 1.05rem; }
p { margin: .4rem 0; max-width: 78ch; }
.muted, .remark { color: var(--muted); }
.remark { font-style: italic; }
.good { color: var(--good); } .bad { color: var(--bad); } .unsure { color: var(--unsure); }
.skip { position: absolute; left: -999px; } .skip:focus { left: 12px; top: 8px; background: var(--surface); padding:
    .4rem .8rem; z-index: 9; }
.quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
    }

.head { padding-top: 34px; padding-bottom: 22px; }
.verdict { display: flex; align-items: center; gap: 16px; }
.verdict h1 { font-size: 2rem; font-weight: 650; letter-spacing: -.015em; }
.sign { flex: none; width: 46px; height: 46px; border-radius: 50%; display: grid; place-items: center; font-size:
    24px; font-weight: 700;
  border: 2px solid currentColor; }
.sign.good { background: var(--good-soft); } .sign.bad { background: var(--bad-soft); } .sign.unsure { background:
    var(--unsure-soft); }
.verdict p { margin: .1rem 0 0; color: var(--muted); }
.facts { display: flex; flex-wrap: wrap; gap: .15rem 1.5rem; margin: 1.1rem 0 0; padding: 0; list-style: none;
    color: var(--muted); font-size: .9rem; }
.facts b { color: var(--ink); font-weight: 550; }
.numbers { display: grid; grid-template-columns: repeat(5, 1fr); gap: 1px; margin: 1.4rem 0 0; background:
    var(--line);
  border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.numbers div { background: var(--surface); padding: .85rem 1.1rem; display: flex; flex-direction: column-reverse;
    justify-content: flex-end; }
.numbers dt { color: var(--muted); font-size: .82rem; }
.numbers dd { margin: 0; font-size: 1.5rem; font-weight: 600; letter-spacing: -.01em; line-height: 1.3; }
.numbers small { font-size: .85rem; font-weight: 400; color: var(--muted); letter-spacing: 0; }
nav { position: sticky; top: 0; z-index: 5; background: var(--ground); border-bottom: 1px solid var(--line); }
nav > ul { display: flex; gap: 1.5rem; list-style: none; overflow-x: auto; }
nav a { display: block; padding: .65rem 0; color: var(--muted); text-decoration: none; font-size: .9rem;
    white-space: nowrap; }
nav a:hover { color: var(--ink); }

.card { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { text-align: left; padding: .42rem .8rem; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--muted); font-weight: 500; font-size: .8rem; white-space: nowrap; vertical-align: bottom; }
tbody th { font-weight: 550; }
.scroll tbody th { min-width: 9.5rem; }
th small { font-weight: 400; }
.num { text-align: right; white-space: nowrap; }
.nowrap { white-space: nowrap; }
.matrix td.cell { text-align: center; padding-left: .2rem; padding-right: .2rem; color: var(--muted); }
.matrix td.cell a { display: inline-block; min-width: 2.1rem; padding: 0 .35rem; border-radius: 5px;
    text-decoration: none; font-weight: 600; }
.matrix .cell.bad a { color: var(--bad); background: var(--bad-soft); }
.matrix .cell.unsure a { color: var(--unsure); background: var(--unsure-soft); }
.matrix .cell.good a { color: var(--good); background: var(--good-soft); }
.matrix thead th.fam { text-align: center; padding-left: .2rem; padding-right: .2rem; font-size: .74rem; }
.notes { margin: .6rem 0 0; padding-left: 1.1rem; color: var(--muted); font-size: .85rem; }
.tag { display: inline-block; border-radius: 5px; padding: .02rem .42rem; font-size: .8rem; font-weight: 600;
    white-space: nowrap; }
.tag.good { background: var(--good-soft); } .tag.bad { background: var(--bad-soft); } .tag.unsure { background:
    var(--unsure-soft); }
.tag.plain { background: var(--sunken); color: var(--muted); }

.finding { margin: 0 0 18px; padding: 18px 22px 20px; border-left: 3px solid var(--line); }
.finding.bad { border-left-color: var(--bad); color: inherit; } .finding.unsure { border-left-color: var(--unsure);
    color: inherit; }
.finding.good { border-left-color: var(--good); color: inherit; }
.finding > header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .3rem .7rem; }
.where { margin: .3rem 0 0; color: var(--muted); font-size: .9rem; max-width: none; }
.claim { display: grid; grid-template-columns: 1fr 1fr; gap: 0 28px; margin: .9rem 0 .2rem; }
.claim dt { color: var(--muted); font-size: .8rem; } .claim dd { margin: .1rem 0 .5rem; }
.claim .wide { grid-column: 1 / -1; }
.claim ul { margin: 0; padding-left: 1.1rem; }
pre { margin: .2rem 0 0; padding: .6rem .8rem; background: var(--sunken); border: 1px solid var(--line);
    border-radius: 7px;
  white-space: pre-wrap; }
details > summary { cursor: pointer; color: var(--muted); padding: .3rem 0; }
details > summary:hover { color: var(--ink); }
.fold { margin: .8rem 0; } .fold > summary { font-size: 1rem; color: var(--ink); font-weight: 550; }

.pair { display: grid; grid-template-columns: minmax(0, 500fr) minmax(0, 740fr); gap: 26px; margin: 1.1rem 0 .3rem;
    }
figure { margin: 0; min-width: 0; }
figcaption { font-size: .85rem; color: var(--muted); padding-bottom: .35rem; border-bottom: 1px solid var(--line);
    margin-bottom: .3rem; }
figcaption b { color: var(--ink); font-weight: 600; }
svg { display: block; max-width: 100%; height: auto; font-family: system-ui, "Segoe UI", Roboto, sans-serif; }
.wf { width: 100%; }
.wf text { fill: var(--ink); font-size: 11.5px; } .wf .soft { fill: var(--muted); font-size: 10.5px; }
.wf .mono { font-size: 10px; fill: var(--muted); }
.wf .svc { font-weight: 600; }
.wf .stripe { fill: var(--sunken); } .wf .grid { stroke: var(--line); stroke-width: 1; }
.wf .link { stroke: var(--muted); stroke-width: 1; fill: none; opacity: .7; }
.wf .cut { stroke: var(--bad); stroke-width: 1.8; stroke-dasharray: 4 3; fill: none; }
.wf .cross { stroke: var(--bad); stroke-width: 2.2; fill: none; }
.wf .dot { fill: var(--mesh); } .wf .dot.app { fill: var(--app); } .wf .dot.wrong { fill: var(--bad); }
.wf .bar { fill: var(--mesh); } .wf .bar.app { fill: var(--app); } .wf .bar.wrong { fill: var(--bad); }
.wf .bar.missing { fill: none; stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 4 3; }
.wf .bar.extra { fill: none; stroke: var(--bad); stroke-width: 1.2; } .wf .hatch { fill: var(--bad-soft); } .wf
    .hatch-line { stroke: var(--bad); stroke-width: 2; }
.wf .in { fill: var(--on-bar); font-size: 9.5px; font-weight: 600; } .wf .took { font-size: 10px; fill:
    var(--muted); }
.wf .gap { stroke: var(--muted); stroke-width: 1; } .wf .gap-text { font-size: 9.5px; fill: var(--muted); }
.wf .alarm { fill: var(--bad); font-weight: 600; font-size: 10.5px; }
.wf .strip { fill: var(--track); } .wf .strip.wrong { fill: var(--bad); }
.wf a:hover .hit, .wf a:focus-visible .hit { fill: var(--link); opacity: .12; } .wf .hit { fill: transparent; }
.wf a { text-decoration: none; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; font-size: .82rem; color: var(--muted); margin: .5rem 0
    .8rem; max-width: none; }
.legend svg.wf { display: inline-block; width: auto; vertical-align: -2px; margin-right: .4rem; }
.spans { columns: 2 420px; column-gap: 26px; margin: .6rem 0 .9rem; }
.span { break-inside: avoid; }
.span > summary { font-size: .85rem; border-bottom: 1px solid var(--line); }
.span table { font-size: .8rem; margin-bottom: .8rem; } .span th { color: var(--muted); font-weight: 450; width:
    38%; }
.span th, .span td { padding: .22rem .5rem; }
.span tr.off th, .span tr.off td { background: var(--bad-soft); color: var(--bad); font-weight: 600; }
.span div:target table { outline: 2px solid var(--link); }
.hist rect, .gantt rect { fill: var(--mesh); } .hist .base { fill: var(--line); } .gantt .track { fill:
    var(--track); }
.gantt .bad { fill: var(--bad); } .gantt .step { fill: var(--app); }
.hist { width: 150px; height: 26px; } .gantt { width: 100%; min-width: 160px; height: 12px; margin-top: .3rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 18px;
    align-items: start; }
.columns > .card { padding: 4px 0; }
.card > h3 { padding: .7rem .8rem .2rem; }
footer { color: var(--muted); font-size: .85rem; margin: 3rem 0 2.5rem; }
@media (max-width: 980px) { .pair, .claim { grid-template-columns: 1fr; } .numbers { grid-template-columns:
    repeat(2, 1fr); }
  .numbers div:last-child:nth-child(odd) { grid-column: 1 / -1; } main, .head, nav > ul { padding-left: 16px;
    padding-right: 16px; }
  .pair .scroll > svg { min-width: 620px; } .finding { padding: 14px 14px 16px; } }
@media print { :root { --ground: #fff; --sunken: #fff; } body { font-size: 11px; } nav, .skip { display: none; }
  .finding, figure, tr { break-inside: avoid; } details::details-content { content-visibility: visible; height:
    auto; } }
)css";

}  // namespace

std::string_view html_style() { return kStyle; }

std::string content_policy() {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  EVP_Digest(kStyle.data(), kStyle.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::array<unsigned char, 48> base64{};
  EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
  return "default-src 'none'; style-src 'sha256-" + std::string(reinterpret_cast<const char*>(base64.data())) +
         "'; base-uri 'none'; form-action 'none'";
}

}  // namespace hopcheck::report

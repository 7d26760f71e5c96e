"""How the report looks: one style sheet, light and dark, from a phone's width up."""

STYLE = """
:root{color-scheme:light dark;--bg:#fbfbf9;--card:#fff;--ink:#1d2529;--soft:#5c686e;--line:#dfe3e1;--faint:#eef0ee;
--kept:#2a7f73;--gone:#c9ccc6;--gone-ink:#6d736e;--failed:#b3261e;--mark:#b4541a;
--s0:#2a7f73;--s1:#4062a8;--s2:#b07a1e;--s3:#7d4f9e;--s4:#a8435f;--s5:#4f7d2a;--s6:#2b7d9c;--s7:#80634a}
@media(prefers-color-scheme:dark){:root{--bg:#14191b;--card:#1b2225;--ink:#e4e9e7;--soft:#9aa8a8;--line:#2f393c;--faint:#232b2e;
--kept:#4fb3a3;--gone:#4a5558;--gone-ink:#9aa5a5;--failed:#f0776d;--mark:#e59a5c;
--s0:#4fb3a3;--s1:#7f9fe0;--s2:#dcab55;--s3:#b48ad6;--s4:#df8099;--s5:#8fbf62;--s6:#62b4d2;--s7:#bb9c80}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.page{max-width:70rem;margin:0 auto;padding:0 1.25rem 4rem}
header{padding:2.2rem 0 .5rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .3rem;letter-spacing:-.01em}
h2{font-size:1.25rem;margin:0 0 .6rem}
h3{font-size:1rem;margin:1.6rem 0 .5rem}
p{margin:.4rem 0 .8rem;max-width:46rem}
.note{color:var(--soft);font-size:.875rem}
.warn{border-left:3px solid var(--mark);padding-left:.7rem}
code{font:.85em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
nav{position:sticky;top:0;z-index:1;background:var(--bg);border-bottom:1px solid var(--line);margin:0 -1.25rem;padding:.45rem 1.25rem}
nav ul{display:flex;gap:1.1rem;list-style:none;margin:0;padding:0;overflow-x:auto;white-space:nowrap;scrollbar-width:none;font-size:.875rem}
nav a{color:var(--soft);text-decoration:none}nav a:hover,nav a:focus{color:var(--ink);text-decoration:underline}
section{padding:2rem 0 .5rem;scroll-margin-top:1.5rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1.2rem 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem}
.tile b{display:block;font-size:1.5rem;line-height:1.25;font-weight:650;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:.8125rem}
.scroll{overflow-x:auto;margin:.6rem 0 1rem}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;min-width:50%}
th{font-weight:600;color:var(--soft);white-space:nowrap}
th,td{text-align:right;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:baseline}
td{white-space:nowrap}
th.t,td.t{white-space:normal;text-align:left;overflow-wrap:anywhere;min-width:8.5rem}
td:last-child,th:last-child{padding-right:0}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--ink)}
svg .soft{fill:var(--soft)}svg .strong{font-weight:650}
.flow{margin:1rem 0 .5rem}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;list-style:none;margin:.5rem 0 1rem;padding:0;font-size:.8125rem;color:var(--soft)}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em}
.f-kept{fill:var(--kept);background:var(--kept)}.f-gone{fill:var(--gone);background:var(--gone)}
.f-failed{fill:var(--failed);background:var(--failed)}
.f-s0{fill:var(--s0);background:var(--s0)}.f-s1{fill:var(--s1);background:var(--s1)}.f-s2{fill:var(--s2);background:var(--s2)}
.f-s3{fill:var(--s3);background:var(--s3)}.f-s4{fill:var(--s4);background:var(--s4)}.f-s5{fill:var(--s5);background:var(--s5)}
.f-s6{fill:var(--s6);background:var(--s6)}.f-s7{fill:var(--s7);background:var(--s7)}
.band{opacity:.42}.loss{fill:var(--gone);opacity:.55}
.bound{stroke:var(--mark);stroke-width:1.5;stroke-dasharray:4 3}.axis{stroke:var(--line)}
.narrow{display:none}
.bars{margin:.6rem 0 1rem;display:grid;gap:.55rem}
.bar{display:grid;grid-template-columns:minmax(7rem,13rem) 1fr auto;gap:.2rem .9rem;align-items:center;font-size:.875rem}
.bar .name{overflow-wrap:anywhere}.bar .value{text-align:right;font-variant-numeric:tabular-nums;color:var(--soft);min-width:8.5rem}
.track{display:flex;height:.85rem;background:var(--faint);border-radius:2px;overflow:hidden}
.track i{display:block;height:100%;min-width:1px}
.reasons{margin:.6rem 0;border-top:1px solid var(--line)}
details.reason{border-bottom:1px solid var(--line)}
details.reason>summary{cursor:pointer;list-style:none;display:grid;grid-template-columns:1.1rem minmax(9rem,17rem) 1fr 4.2rem 4rem;
gap:.1rem .8rem;padding:.45rem 0;align-items:baseline;font-size:.875rem}
summary::-webkit-details-marker{display:none}
details.reason>summary:before{content:"+";color:var(--soft);font-family:ui-monospace,monospace}
details.reason[open]>summary:before{content:"\\2212"}
details.reason>summary:hover{background:var(--faint)}
summary:focus-visible,a:focus-visible,.scroll:focus-visible{outline:2px solid var(--kept);outline-offset:2px}
.reason .what{color:var(--soft);overflow-wrap:anywhere}.reason .count,.reason .share{text-align:right;font-variant-numeric:tabular-nums}
.reason .share{color:var(--soft)}.failed code{color:var(--failed)}
.examples{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,18rem),1fr));gap:.75rem;padding:.3rem 0 1rem 1.9rem}
.where{padding-left:1.9rem;margin:.1rem 0 .3rem}
.example{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem .85rem;font-size:.8125rem;min-width:0;overflow-wrap:anywhere}
.example b{display:block;font-size:.875rem}.example p{margin:.35rem 0 0;max-width:none}.example .url{color:var(--soft)}
.example .why{color:var(--mark)}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:1rem 1.4rem;margin:.8rem 0 1rem}
figure{margin:0;min-width:0}figcaption{font-size:.8125rem;color:var(--soft);overflow-wrap:anywhere;line-height:1.4}
figcaption b{color:var(--ink);font-weight:600}
pre{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.9rem;overflow-x:auto;font:.8125rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
details.more>summary{cursor:pointer;color:var(--soft);font-size:.875rem;margin:.6rem 0}
@media(max-width:44rem){
body{font-size:15px}.wide{display:none}
.narrow{display:block}
.tiles{grid-template-columns:1fr 1fr}
.bar{grid-template-columns:1fr auto}.bar .track{grid-row:2;grid-column:1/-1}.bar .value{min-width:0}
details.reason>summary{grid-template-columns:1.1rem 1fr auto auto}.reason .what{grid-row:2;grid-column:2/-1}
.examples{padding-left:0}.where{padding-left:0}}
@media print{nav{display:none}body{background:#fff}details.reason{break-inside:avoid}}
"""

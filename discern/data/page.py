"""The looks of a report's page: its style, and the script that draws its plots when they come into view."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #26844f; --bad: #c4342c; --wait: #9a6b00; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --good: #5cc98b; --bad: #ff8a80; --wait: #e3b341; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
.verdict { font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); } .wait { color: var(--wait); }
.muted { opacity: .7; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; min-width: 44rem; }
table.conditions td:first-child { min-width: 13rem; } table.conditions td:last-child { min-width: 15rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td { overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.result { white-space: nowrap; font-weight: 600; }
details { border-bottom: 1px solid var(--line); } summary { cursor: pointer; padding: .45rem .2rem; }
summary:hover { background: var(--soft); }
.plot { min-height: 22rem; } .sheet td { vertical-align: middle; }
.sheet img, .photos img { display: block; max-width: 100%; }
.sheet td:first-child { max-width: 16rem; } .sheet td:last-child { width: 60%; } .photos { padding: .2rem 0 .8rem; }
nav a { margin-right: 1rem; } a { color: inherit; }
"""

# Plots are drawn when they are opened: a page with fourteen of them opens at once, and each knows its width.
SCRIPT = """
const draw = element => {
  if (!window.Plotly || element.dataset.drawn) return;
  element.dataset.drawn = "yes";
  const figure = JSON.parse(element.querySelector("script").textContent);
  const ink = getComputedStyle(document.body).color;
  Object.assign(figure.layout, {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: {color: ink, family: "system-ui, sans-serif"},
    autosize: true, margin: {t: 40, r: 20, b: 60, l: 60}, title: null, colorway: ["#4878d0", "#ee854a", "#6acc64"],
  });
  for (const axis of Object.keys(figure.layout).filter(name => /^[xy]axis/.test(name)))
    Object.assign(figure.layout[axis], {gridcolor: "rgba(128,128,128,.25)", zerolinecolor: "rgba(128,128,128,.4)"});
  Plotly.newPlot(element, figure.data, figure.layout, {responsive: true, displayModeBar: false});
};
const drawOpen = () => document.querySelectorAll("details[open] .plot").forEach(draw);
document.addEventListener("toggle", drawOpen, true);
window.addEventListener("load", drawOpen);
"""

# The library as compressed text, for a page that has to be one file; browsers unpack it themselves since 2023.
UNPACK = """
const packed = Uint8Array.from(atob(document.getElementById("library").textContent), c => c.charCodeAt(0));
new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text().then(code => {
  const script = document.createElement("script");
  script.textContent = code;
  document.head.append(script);
  drawOpen();
});
"""

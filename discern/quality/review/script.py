"""The script of a report's page, which draws its plots when they come into view."""

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

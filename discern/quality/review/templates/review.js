// Plots are drawn when they are opened: a page with fourteen of them opens at once, and each knows its width.
const draw = element => {
  if (!window.Plotly || element.dataset.drawn) return;
  element.dataset.drawn = "yes";
  const figure = JSON.parse(element.querySelector("script").textContent);
  const ink = getComputedStyle(document.body).color;
  Object.assign(figure.layout, {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: {color: ink, family: "system-ui, sans-serif"},
    autosize: true, margin: {t: 40, r: 20, b: 60, l: 60}, title: null, colorway: ["#4878d0", "#ee854a", "#6acc64"],
    legend: {orientation: "h", y: -0.45},  // beside the plot it would take half of a phone's screen
  });
  const notes = (figure.layout.annotations || []).filter(note => note.text !== "Distribution Plot");
  figure.layout.annotations = notes.map(note => ({...note, font: {size: 12}}));
  for (const axis of Object.keys(figure.layout).filter(name => /^[xy]axis/.test(name)))
    Object.assign(figure.layout[axis], {gridcolor: "rgba(128,128,128,.25)", zerolinecolor: "rgba(128,128,128,.4)"});
  Plotly.newPlot(element, figure.data, figure.layout, {responsive: true, displayModeBar: false});
};
const drawOpen = () => document.querySelectorAll("details[open] > .plot").forEach(draw);
document.addEventListener("toggle", drawOpen, true);
window.addEventListener("load", drawOpen);

// Commands are copied where the browser has a clipboard; elsewhere a click selects them.
if (navigator.clipboard)
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = button.firstChild;
      try {
        await navigator.clipboard.writeText(button.previousElementSibling.textContent);
        text.data = "Copied";
      } catch {
        getSelection().selectAllChildren(button.previousElementSibling);
        text.data = "Selected";
      }
    });
  }

// A part of the page that a link names is opened.
const openTarget = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const folded = target && target.closest("details");
  if (folded) folded.open = true;
};
window.addEventListener("hashchange", openTarget);
openTarget();

// Classes are found by name, by split, and put in order.
const find = document.getElementById("find");
const only = document.getElementById("only");
const order = document.getElementById("order");
const list = document.getElementById("all-classes");
const classes = [...list.children];
const byName = (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, {numeric: true});
const orders = {
  name: byName,
  fewest: (a, b) => a.dataset.photos - b.dataset.photos || byName(a, b),
  most: (a, b) => b.dataset.photos - a.dataset.photos || byName(a, b),
};
const choose = () => {
  const wanted = find.value.trim().toLowerCase();
  let shown = 0;
  for (const item of classes) {
    const named = item.dataset.name.toLowerCase().includes(wanted);
    item.hidden = !named || !(only.value === "" || item.dataset.in.split(" ").includes(only.value));
    shown += !item.hidden;
  }
  document.getElementById("found").textContent = shown === classes.length ? "" : `${shown} of ${classes.length} shown`;
};
find.addEventListener("input", choose);
only.addEventListener("change", choose);
order.addEventListener("change", () => list.append(...classes.sort(orders[order.value])));
find.form.addEventListener("submit", event => event.preventDefault());
find.form.hidden = false;
choose();

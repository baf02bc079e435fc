// One page, no library, nothing from another address. Texts go in as text, never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem("token") || "";
let latest = 0; // an answer that was overtaken by a newer photo is not shown

function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const below = path.replace(/^\//, ""); // a proxy may serve this page below a path of its own
  return fetch(below, { ...options, headers });
}

async function told(response) {
  const body = await response.json().catch(() => ({}));
  if (response.status === 401) $("access").hidden = false;
  if (!response.ok) throw new Error(body.error || `The device answered ${response.status}.`);
  return body;
}

function show(kind, verdict, why = "", matches = [], probability = null) {
  $("answer").hidden = false;
  $("answer").className = kind;
  $("verdict").textContent = verdict;
  $("why").textContent = why;
  $("sure").hidden = probability === null;
  $("sure").textContent = `The best match is right with a probability of ${percent(probability)}.`;
  $("matches").replaceChildren(...matches.map(row));
}

function verdict(answer) {
  if (answer.known) return answer.label;
  if (answer.outcome === "unknown") return "Unknown";
  return `${answer.matches.slice(0, 2).map((match) => match.label).join(" or ")}?`;
}

function percent(probability) {
  if (probability >= 0.995) return "over 99 %"; // no calibrator tells the last half of a percent
  return probability <= 0.005 ? "under 1 %" : `${(100 * probability).toFixed(0)} %`;
}

function row(match) {
  const item = document.createElement("li");
  const picture = document.createElement("img");
  picture.alt = `reference picture of ${match.label}`;
  thumbnail(match.thumbnail, picture);
  const label = document.createElement("b");
  label.textContent = match.label;
  const score = document.createElement("span");
  score.className = "score";
  score.textContent = match.score.toFixed(3);
  item.append(picture, label, score);
  return item;
}

async function thumbnail(path, picture) {
  const response = await ask(path); // an <img> alone could not send the token
  if (!response.ok) return;
  const url = URL.createObjectURL(await response.blob());
  picture.onload = () => URL.revokeObjectURL(url);
  picture.src = url;
}

async function identify(file) {
  const turn = ++latest;
  preview(file);
  show("waiting", "Looking …");
  const form = new FormData();
  form.append("photo", file);
  const candidates = $("candidates").value.trim();
  if (candidates) form.append("candidates", candidates);
  try {
    const answer = await told(await ask("v1/identify", { method: "POST", body: form }));
    if (turn !== latest) return;
    show(answer.outcome, verdict(answer), answer.explanation, answer.matches, answer.probability);
  } catch (error) {
    if (turn === latest) show("wrong", error.message);
  }
}

function preview(file) {
  const url = URL.createObjectURL(file);
  $("preview").onload = () => URL.revokeObjectURL(url);
  $("preview").src = url;
  $("preview").hidden = false;
  $("hint").hidden = true;
}

async function describe() {
  try {
    const release = await told(await ask("v1/release"));
    $("release").textContent = `${release.name} · ${release.classes.length} classes · release ${release.id}`;
    $("labels").replaceChildren(...release.classes.map((label) => new Option(label, label)));
  } catch (error) {
    $("release").textContent = error.message;
  }
}

function again() {
  const file = $("file").files[0];
  if (file) identify(file);
}

$("file").addEventListener("change", again);
$("candidates").addEventListener("change", again);
$("access").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  sessionStorage.setItem("token", token);
  $("access").hidden = true;
  describe();
  again();
});
for (const name of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) {
      $("file").files = event.dataTransfer.files;
      again();
    }
  });
}
describe();

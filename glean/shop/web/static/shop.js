// Ticks and corrections without loading the page anew; without this script the form does the same.
"use strict";

const list = document.getElementById("list");

function mark(row, done) {
  const tick = row.querySelector(".tick");
  row.classList.toggle("done", done);
  tick.setAttribute("aria-pressed", String(done));
  tick.name = done ? "untick" : "tick";
}

function show(row, answer, last) {
  // Not while a further tap is on its way: it is shown already.
  if (last) mark(row, answer.done);
  row.querySelector(".bake").textContent = answer.bake;
  row.querySelector(".more").value = answer.more;
  row.querySelector(".less").value = answer.less;
  row.querySelector(".plan").hidden = !answer.corrected;
  document.getElementById("total").textContent = answer.total;
  const summary = document.getElementById("summary");
  summary.replaceChildren(...answer.summary.flatMap((sentence) => {
    const span = document.createElement("span");
    span.textContent = sentence;
    return [span, " "];
  }));
}

async function send(name, value) {
  const body = new URLSearchParams({ [name]: value });
  // Kept alive: what was tapped arrives also where the page is left at once.
  const answer = await fetch(list.action, {
    method: "POST", body, headers: { Accept: "application/json" }, keepalive: true,
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

if (list) {
  let queue = Promise.resolve();
  let waiting = 0;
  list.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button) return;
    event.preventDefault();
    const row = button.closest("li");
    const { name, value } = button;
    // A tick is shown at once, a number when the bakery's computer has it.
    if (name !== "bake") mark(row, name === "tick");
    list.setAttribute("aria-busy", "true");
    waiting += 1;
    // One after the other: of two quick taps on + the second starts from the first one's number.
    queue = queue
      .then(() => {
        const wanted = name === "bake" ? button.value : value;
        // Once more where the connection broke: it says what is wanted, so twice is as good as once.
        return send(name, wanted).catch(() => send(name, wanted));
      })
      .then((answer) => {
        waiting -= 1;
        show(row, answer, !waiting);
        if (!waiting) list.removeAttribute("aria-busy");
      })
      .catch(() => location.reload());
  });
}

// As an app, and without a connection.
if ("serviceWorker" in navigator && window.isSecureContext) {
  navigator.serviceWorker.register("/sw.js").catch(() => {});
}

async function lookForConnection() {
  const connected = await fetch("/alive", { cache: "no-store" }).then((answer) => answer.ok, () => false);
  const offline = document.getElementById("offline");
  // A list that stood there without a connection may be an old one, and its + and - with it.
  if (list && connected && !offline.hidden) location.reload();
  offline.hidden = connected;
  for (const button of document.querySelectorAll("main button")) button.disabled = !connected;
}

window.addEventListener("online", lookForConnection);
window.addEventListener("offline", lookForConnection);
document.addEventListener("visibilitychange", () => { if (!document.hidden) lookForConnection(); });
lookForConnection();

// A dropped export is handed in at once.
const drop = document.getElementById("drop");
if (drop) {
  const file = drop.querySelector("input[type=file]");
  file.addEventListener("change", () => { if (file.files.length) drop.requestSubmit(); });
  drop.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    file.files = event.dataTransfer.files;
    drop.requestSubmit();
  });
}

// Ticks and corrections without loading the page anew; without this script the form does the same.
"use strict";

const list = document.getElementById("list");

function show(row, answer) {
  row.classList.toggle("done", answer.done);
  row.querySelector(".tick").setAttribute("aria-pressed", String(answer.done));
  row.querySelector(".bake").textContent = answer.bake;
  row.querySelector(".plan").hidden = !answer.corrected;
  document.getElementById("total").textContent = answer.total;
  const summary = document.getElementById("summary");
  summary.replaceChildren(...answer.summary.flatMap((sentence) => {
    const span = document.createElement("span");
    span.textContent = sentence;
    return [span, " "];
  }));
}

async function send(button) {
  const row = button.closest("li");
  const body = new URLSearchParams({ [button.name]: button.value });
  const answer = await fetch(list.action, { method: "POST", body, headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  show(row, await answer.json());
}

if (list) {
  let queue = Promise.resolve();
  list.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button) return;
    event.preventDefault();
    if (button.name === "tick") button.closest("li").classList.toggle("done");
    // One after the other: two quick taps on + are two steps.
    queue = queue.then(() => send(button)).catch(() => location.reload());
  });
}

// As an app, and without a connection.
if ("serviceWorker" in navigator && window.isSecureContext) {
  navigator.serviceWorker.register("/sw.js").catch(() => {});
}

async function lookForConnection() {
  const connected = await fetch("/alive", { cache: "no-store" }).then((answer) => answer.ok, () => false);
  document.getElementById("offline").hidden = connected;
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

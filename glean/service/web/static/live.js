// Keeps the part of a page that is live as the server makes it: whenever an event comes by WebSocket,
// and every few seconds. After a break the socket asks for what came since the last event's number.
"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  let number = 0, wait = 500, pending = null, done = false;

  async function refresh() {
    pending = null;
    try {
      const answer = await fetch(live.dataset.refresh, { credentials: "same-origin" });
      if (answer.redirected || answer.status === 401) { location.reload(); return; }
      if (!answer.ok) return;
      const focused = document.activeElement && live.contains(document.activeElement);
      if (!focused) live.innerHTML = await answer.text();
      offline(false);
      const ended = answer.headers.get("x-run-ended");
      if (ended === "yes" && live.dataset.ended === "no" && !done) { done = true; location.reload(); }
    } catch { offline(true); }
  }

  function soon() { if (!pending) pending = setTimeout(refresh, 300); }

  function offline(is) {
    document.getElementById("off-line").hidden = !is;
  }

  function watch() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${live.dataset.socket}?since=${number}`);
    socket.onmessage = (message) => {
      wait = 500;
      const found = JSON.parse(message.data);
      number = found.number;
      document.dispatchEvent(new CustomEvent("run-event", { detail: found }));
      soon();
    };
    socket.onclose = (closed) => {
      if (closed.code >= 4400) return;
      offline(true);
      setTimeout(watch, wait);
      wait = Math.min(wait * 2, 10000);
    };
    socket.onopen = () => offline(false);
  }

  if (live.dataset.socket && live.dataset.ended === "no") watch();
  if (live.dataset.ended !== "yes") setInterval(refresh, live.dataset.socket ? 5000 : 3000);
  addEventListener("online", soon);
})();

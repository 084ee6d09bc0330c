// Keeps the pages that were seen, and shows them while there is no connection. What was entered
// meanwhile isn't kept: the page says so.
"use strict";

const KEPT = "glean-shop-1";
const ALWAYS = ["/"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(ALWAYS)).catch(() => {}));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then((names) => Promise.all(
    names.filter((name) => name !== KEPT).map((name) => caches.delete(name)))));
  self.clients.claim();
});

async function keep(request, answer) {
  if (answer.ok && answer.type === "basic") {
    const cache = await caches.open(KEPT);
    await cache.put(request, answer.clone());
  }
  return answer;
}

async function fromStore(request) {
  const cache = await caches.open(KEPT);
  const kept = await cache.match(request);
  if (kept) return kept;
  return request.mode === "navigate" ? (await cache.match("/")) ?? Response.error() : Response.error();
}

self.addEventListener("fetch", (event) => {
  const request = event.request;
  const path = new URL(request.url).pathname;
  if (request.method !== "GET" || path === "/alive") return;
  if (path.startsWith("/static/")) {
    // Under a hash of its content: what is kept stays right.
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request).then((a) => keep(request, a))));
  } else if (request.mode === "navigate" || path === "/manifest.webmanifest") {
    event.respondWith(fetch(request).then((answer) => keep(request, answer)).catch(() => fromStore(request)));
  }
});

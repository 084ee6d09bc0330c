// Draws the charts of a page, and draws them again when their numbers or the width change.
"use strict";
(() => {
  const style = () => getComputedStyle(document.documentElement);
  const colour = (name) => style().getPropertyValue(name).trim();
  const options = { displayModeBar: false, responsive: true, locale: speak(document.documentElement.lang) };

  // Numbers and days as they are written in the page's language; Plotly itself has English only.
  function speak(language) {
    const names = (part, style, count) => Array.from({ length: count }, (_, place) =>
      new Intl.DateTimeFormat(language, { [part]: style, timeZone: "UTC" }).format(
        part === "month" ? Date.UTC(2026, place, 1) : Date.UTC(2026, 1, 1 + place))); // 1 February 2026: a Sunday
    const orders = {
      de: { decimal: ",", thousands: ".", date: "%d.%m.%Y", dayMonth: "%-d. %b", dayMonthYear: "%-d. %b %Y" },
      fr: { decimal: ",", thousands: "\u202f", date: "%d/%m/%Y", dayMonth: "%-d %b", dayMonthYear: "%-d %b %Y" },
    };
    if (!orders[language]) return "en";
    const format = { ...orders[language], year: "%Y", month: "%b %Y", months: names("month", "long", 12), shortMonths: names("month", "short", 12),
      days: names("weekday", "long", 7), shortDays: names("weekday", "short", 7) };
    Plotly.register({ moduleType: "locale", name: language, dictionary: {}, format });
    return language;
  }

  function layout(more) {
    const ink = colour("--ink"), line = colour("--line");
    const axis = { gridcolor: line, zerolinecolor: line, automargin: true };
    const { lines, ...rest } = more;
    const found = { font: { color: ink, size: 14 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
      margin: { l: 55, r: 15, t: 15 + 22 * (lines || 0), b: 50 }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, ...rest };
    for (const name of ["xaxis", "yaxis"]) {
      found[name] = { ...axis, ...more[name] };
      found[name].title = { ...found[name].title, font: { size: 14, color: ink } };
    }
    // On a low chart what stands at the side would run into the lines that say what is what.
    if (lines && matchMedia("(max-width: 40rem)").matches) {
      found.title = { text: found.yaxis.title.text, font: { size: 14, color: ink }, x: 0.02, y: 0.97, yref: "container", yanchor: "top" };
      found.yaxis.title = { text: "" };
      found.margin.t += 22;
    }
    return found;
  }

  const tick = (numbers) => Math.max(...numbers) < 12 ? 1 : undefined; // no half rounds

  // Plotly obeys some HTML in texts, links too: what people have named is shown as they wrote it.
  const plain = (name) => name.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

  async function rounds(address) {
    const answer = await fetch(address, { credentials: "same-origin" });
    return answer.ok ? (await answer.json()).rounds : [];
  }

  // What has no rounds yet isn't drawn: an empty chart has axes all the same, and they say nothing.
  // All come at once, so that each is as wide as it stays.
  function showed(tables) {
    if (!tables.some((table) => table.length)) return false;
    document.querySelectorAll(".no-rounds").forEach((words) => words.remove());
    document.querySelectorAll(".chart[data-rounds]").forEach((chart) => { chart.hidden = false; });
    return true;
  }

  async function scores(chart) {
    const words = JSON.parse(chart.dataset.words);
    const names = JSON.parse(chart.dataset.names || "null") || [words.model];
    const addresses = [chart.dataset.rounds, chart.dataset.other].filter(Boolean);
    const tables = await Promise.all(addresses.map(rounds));
    if (!showed(tables)) return;
    const dashes = ["solid", "dash"];
    const metric = Object.keys(tables.flat()[0]).filter((n) => !["round", "bakeries", "replies", "failures"].includes(n))[0];
    const traces = tables.map((table, place) => ({ x: table.map((r) => r.round), y: table.map((r) => r[metric]),
      name: names[place], mode: "lines+markers", line: { dash: dashes[place], color: colour(place ? "--soft" : "--accent") } }));
    const noise = Number(chart.dataset.noise);
    if (noise) traces[0].error_y = { type: "constant", value: noise, thickness: 1.5 };
    const span = tables.flat().map((r) => r.round), looks = ["dot", "dashdot"];
    JSON.parse(chart.dataset.beside || "[]").forEach(([name, error], place) => traces.push({ x: [Math.min(...span), Math.max(...span)], y: [error, error],
      name, mode: "lines", line: { dash: looks[place], color: colour("--soft") } }));
    Plotly.react(chart, traces, layout({ showlegend: traces.length > 1, lines: traces.length > 1 ? traces.length : 0, xaxis: { title: { text: words.round }, dtick: tick(span) },
      yaxis: { title: { text: words.score || metric }, tickformat: words.score ? ",.0%" : undefined, rangemode: "tozero" } }), options);
  }

  function pairs(chart) {
    const points = JSON.parse(chart.dataset.pairs), names = JSON.parse(chart.dataset.names);
    const most = 1.05 * Math.max(...points.flatMap((p) => [p[1], p[2]]));
    const axis = { range: [0, most], tickformat: ",.0%" };
    const line = { x: [0, most], y: [0, most], mode: "lines", hoverinfo: "skip", line: { color: colour("--soft"), dash: "dot" } };
    const dots = { x: points.map((p) => p[1]), y: points.map((p) => p[2]), text: points.map((p) => plain(p[0])), mode: "markers", marker: { color: colour("--accent"), size: 9 } };
    Plotly.react(chart, [line, dots], layout({ showlegend: false, xaxis: { ...axis, title: { text: names[0] } }, yaxis: { ...axis, title: { text: names[1] } } }), options);
  }

  async function bars(chart) {
    const table = (await rounds(chart.dataset.rounds)).filter((row) => row.round > 0);
    if (!showed([table])) return;
    const columns = chart.dataset.columns.split(" "), scale = Number(chart.dataset.scale);
    const y = table.map((row) => columns.reduce((sum, name) => sum + (row[name] || 0), 0) / scale);
    const bar = { type: "bar", x: table.map((row) => row.round), y, marker: { color: colour("--soft") } };
    Plotly.react(chart, [bar], layout({ showlegend: false, xaxis: { title: { text: chart.dataset.round }, dtick: tick(bar.x) },
      yaxis: { title: { text: chart.dataset.title }, rangemode: "tozero" } }), options);
  }

  const tints = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31"]; // Okabe and Ito
  const shapes = ["solid", "solid", "solid", "solid", "dash", "dash", "dash"];

  function series(chart) {
    const { days, products } = JSON.parse(chart.dataset.series), words = JSON.parse(chart.dataset.words);
    const traces = products.map(({ product, units }, place) => ({ x: days, y: units, mode: days.length > 1 ? "lines" : "markers", connectgaps: false, name: product ? plain(product) : words.others,
      line: { width: 2, color: product ? tints[place % tints.length] : colour("--soft"), dash: product ? shapes[place % shapes.length] : "dot" } }));
    Plotly.react(chart, traces, layout({ legend: { orientation: "h", y: -0.12, yanchor: "top" }, xaxis: { type: "date", dtick: days.length < 3 ? 86400000 : undefined }, yaxis: { title: { text: words.units }, rangemode: "tozero" } }), options);
  }

  function draw() {
    const sold = document.getElementById("series-chart");
    if (sold) series(sold);
    const score = document.getElementById("score-chart"), pair = document.getElementById("pair-chart");
    if (score) scores(score).catch(() => {}); // drawn when the network is back
    if (pair) pairs(pair);
    document.querySelectorAll(".chart.bars").forEach((chart) => bars(chart).catch(() => {}));
  }

  document.addEventListener("run-event", (found) => { if (found.detail.event.event === "round_finished") draw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("online", draw);
  draw();
})();

// Draws the charts of a page, and draws them again when their numbers or the width change.
"use strict";
(() => {
  const style = () => getComputedStyle(document.documentElement);
  const colour = (name) => style().getPropertyValue(name).trim();
  const separators = { de: ",.", fr: ",\u202f" }[document.documentElement.lang] || ".,"; // decimals, thousands
  const options = { displayModeBar: false, responsive: true };

  function layout(more) {
    const ink = colour("--ink"), line = colour("--line");
    const axis = { gridcolor: line, zerolinecolor: line, automargin: true };
    const { lines, ...rest } = more;
    const found = { separators, font: { color: ink, size: 14 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
      margin: { l: 55, r: 15, t: 15 + 22 * (lines || 0), b: 45 }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, ...rest };
    for (const name of ["xaxis", "yaxis"]) {
      found[name] = { ...axis, ...more[name] };
      found[name].title = { ...found[name].title, font: { size: 14, color: ink } };
    }
    return found;
  }

  async function rounds(address) {
    const answer = await fetch(address, { credentials: "same-origin" });
    return answer.ok ? (await answer.json()).rounds : [];
  }

  async function scores(chart) {
    const words = JSON.parse(chart.dataset.words);
    const names = JSON.parse(chart.dataset.names || "null") || [words.model];
    const addresses = [chart.dataset.rounds, chart.dataset.other].filter(Boolean);
    const tables = await Promise.all(addresses.map(rounds));
    const dashes = ["solid", "dash"];
    const metric = Object.keys(tables[0][0] || {}).filter((n) => !["round", "bakeries", "replies", "failures"].includes(n))[0];
    const traces = tables.map((table, place) => ({ x: table.map((r) => r.round), y: table.map((r) => r[metric]),
      name: names[place], mode: "lines+markers", line: { dash: dashes[place], color: colour(place ? "--soft" : "--accent") } }));
    const span = tables[0].map((r) => r.round), looks = ["dot", "dashdot"];
    JSON.parse(chart.dataset.beside || "[]").forEach(([name, error], place) => traces.push({ x: [span[0], span[span.length - 1]], y: [error, error],
      name, mode: "lines", line: { dash: looks[place], color: colour("--soft") } }));
    Plotly.react(chart, traces, layout({ showlegend: traces.length > 1, lines: traces.length > 1 ? traces.length : 0, xaxis: { title: { text: words.round }, dtick: tables[0].length < 12 ? 1 : undefined },
      yaxis: { title: { text: words.score }, tickformat: ",.0%", rangemode: "tozero" } }), options);
  }

  function pairs(chart) {
    const points = JSON.parse(chart.dataset.pairs), names = JSON.parse(chart.dataset.names);
    const most = 1.05 * Math.max(...points.flatMap((p) => [p[1], p[2]]));
    const axis = { range: [0, most], tickformat: ",.0%" };
    const line = { x: [0, most], y: [0, most], mode: "lines", hoverinfo: "skip", line: { color: colour("--soft"), dash: "dot" } };
    const dots = { x: points.map((p) => p[1]), y: points.map((p) => p[2]), text: points.map((p) => p[0]), mode: "markers", marker: { color: colour("--accent"), size: 9 } };
    Plotly.react(chart, [line, dots], layout({ showlegend: false, xaxis: { ...axis, title: { text: names[0] } }, yaxis: { ...axis, title: { text: names[1] } } }), options);
  }

  async function bars(chart) {
    const table = (await rounds(chart.dataset.rounds)).filter((row) => row.round > 0);
    const columns = chart.dataset.columns.split(" "), scale = Number(chart.dataset.scale);
    const y = table.map((row) => columns.reduce((sum, name) => sum + (row[name] || 0), 0) / scale);
    const bar = { type: "bar", x: table.map((row) => row.round), y, marker: { color: colour("--soft") } };
    Plotly.react(chart, [bar], layout({ showlegend: false, xaxis: { title: { text: chart.dataset.round } },
      yaxis: { title: { text: chart.dataset.title }, rangemode: "tozero" } }), options);
  }

  const tints = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31"]; // Okabe and Ito
  const shapes = ["solid", "solid", "solid", "solid", "dash", "dash", "dash"];

  function series(chart) {
    const { days, products } = JSON.parse(chart.dataset.series), words = JSON.parse(chart.dataset.words);
    const traces = products.map(({ product, units }, place) => ({ x: days, y: units, mode: "lines", connectgaps: false, name: product || words.others,
      line: { width: 2, color: product ? tints[place % tints.length] : colour("--soft"), dash: product ? shapes[place % shapes.length] : "dot" } }));
    Plotly.react(chart, traces, layout({ legend: { orientation: "h", y: -0.12, yanchor: "top" }, xaxis: { type: "date" }, yaxis: { title: { text: words.units }, rangemode: "tozero" } }), options);
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

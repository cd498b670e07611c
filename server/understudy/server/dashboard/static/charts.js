// Figures over time, drawn by uPlot: a line for each variant, a mark where an epoch begins.
"use strict";
(() => {
  const charts = document.getElementById("charts");
  if (!charts) return;
  const note = document.getElementById("charts-note");
  const drawn = new Map();
  let etag = "";
  let data = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const marks = (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("--line-strong");
    ctx.fillStyle = colour("--quiet");
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const epoch of data.epochs) {
      const x = Math.round(plot.valToPos(epoch.start, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillText(`${epoch.number}`, x + 3 * devicePixelRatio, bbox.top + 11 * devicePixelRatio);
    }
    ctx.restore();
  };
  const time = (instant) => {
    const text = new Date(instant * 1e3).toISOString(); // UTC, as all times on the page
    return data.instants.at(-1) - data.instants[0] > 2 * 86400 ? text.slice(5, 10) : text.slice(11, 16);
  };
  const lines = (key) => data.lines.flatMap((line) =>
    (key === "latency" ? ["p95", "p50"] : [key]).map((one) => ({
      line, key: one, points: line.points.map((point) => point?.[one] ?? null),
    })));
  const table = (key) => [data.instants, ...lines(key).map((one) => one.points)];
  const options = (place) => {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const key = place.dataset.chart;
    const percent = key === "share" || key === "errors";
    return {
      width: place.clientWidth,
      height: 170,
      cursor: { y: false },
      legend: { show: false },
      scales: { x: { range: () => [data.instants[0], data.instants.at(-1) + data.step] }, y: { range: (_, low, high) => [0, percent && key === "share" ? 100 : Math.max(high ?? 0, percent ? 5 : 1) * 1.05] } },
      axes: [{ ...axis, values: (_, instants) => instants.map(time) }, { ...axis, size: 52 }],
      series: [{}, ...lines(key).map(({ line, key: one, points }) => ({
        label: line.name,
        stroke: colour(`--c${line.colour}`),
        width: one === "p50" ? 1 : 2,
        dash: one === "p50" ? [4, 3] : undefined,
        // A point with nothing beside it makes no line.
        points: { show: points.filter((point) => point !== null).length < 60, size: 4, fill: colour(`--c${line.colour}`) },
      }))],
      hooks: { draw: [marks] },
    };
  };
  const draw = (isAnew) => {
    note.textContent = data.lines.length
      ? "Upright lines: an epoch begins, because models, prompts, parameters or weights changed. Times are UTC."
      : "No call in this window.";
    for (const place of charts.querySelectorAll("[data-chart]")) {
      const known = drawn.get(place);
      if (known && !isAnew) {
        known.setData(table(place.dataset.chart));
        continue;
      }
      known?.destroy();
      drawn.set(place, new uPlot(options(place), table(place.dataset.chart), place));
    }
  };
  const look = async () => {
    if (!document.hidden) {
      try {
        const reply = await fetch(charts.dataset.source, { headers: etag ? { "If-None-Match": etag } : {} });
        if (reply.status === 200) {
          etag = reply.headers.get("etag") ?? "";
          const names = data?.lines.map((line) => line.name).join("\n");
          data = await reply.json();
          draw(names !== data.lines.map((line) => line.name).join("\n"));
        } else if (reply.headers.has("x-understudy-trouble")) {
          note.textContent = `No charts: ${decodeURIComponent(reply.headers.get("x-understudy-trouble"))}`;
        }
      } catch { /* the page says so already */ }
    }
    setTimeout(look, 5000);
  };
  document.addEventListener("theme", () => data && draw(true));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => data && draw(true));
  new ResizeObserver(() => {
    for (const [place, plot] of drawn) if (place.clientWidth) plot.setSize({ width: place.clientWidth, height: 170 });
  }).observe(charts);
  look();
})();

// The interactive part of a report: plots, sorting, downloads. Everything shown is put in as text,
// never as markup: names in a result are not ours.
"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { columns, rows, view, title } = read("data");
  // Distinct in lightness as well as hue, on both grounds (after Okabe and Ito).
  const COLOURS = ["#0a7abf", "#d55e00", "#009e73", "#cc79a7", "#b88700", "#7a5cc7", "#56b4e9", "#8c564b"];
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
  const colour = (i) => COLOURS[i % COLOURS.length];
  const dash = (i) => DASHES[Math.floor(i / COLOURS.length) % DASHES.length];
  const hollow = (i) => i >= COLOURS.length;  // colours begin again
  const ground = () => getComputedStyle(document.body).backgroundColor;
  const ink = () => getComputedStyle(document.body).color;
  const line = () => getComputedStyle(document.documentElement).getPropertyValue("--line");
  const format = (v) =>
    typeof v === "number" ? String(Number.isInteger(v) && Math.abs(v) < 1e6 ? v : Number(v.toPrecision(4))) : String(v ?? "-");
  const distinct = (values) => [...new Set(values.filter((v) => v !== null))];
  const column = (i) => rows.map((row) => row[i]);
  const index = (name) => columns.indexOf(name);
  const isNumeric = (i) => column(i).some((v) => typeof v === "number") && column(i).every((v) => v === null || typeof v === "number");

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  function chooser(name, options, chosen, change) {
    const select = element("select", { onchange: (e) => change(Number(e.target.value)) });
    for (const [value, text] of options) {
      const option = element("option", { value: String(value) }, text);
      option.selected = value === chosen;
      select.append(option);
    }
    return element("label", {}, name, select);
  }

  function checkbox(name, checked, change) {
    const box = element("input", { type: "checkbox", onchange: (e) => change(e.target.checked) });
    box.checked = checked;
    return element("label", {}, box, name);
  }

  const numericColumns = columns.map((_, i) => i).filter(isNumeric);
  const named = (list) => list.map((i) => [i, columns[i]]);

  // Whether the value of one column tells that of the other in every row.
  function tells(a, b) {
    const seen = new Map();
    return rows.every((row) => {
      if (!seen.has(row[a])) seen.set(row[a], row[b]);
      return seen.get(row[a]) === row[b];
    });
  }

  // One filter for each field that was swept. Those that go along the x axis let everything pass,
  // the others one value: a line that jumped between settings would say nothing. Fields of another
  // sweep, which have no value where x has one, get `apart`.
  function filtersFor(x, apart = -1) {
    return view.swept.map(index).map((i) => {
      const values = distinct(column(i));
      const among = rows.find((row) => row[x] !== null && row[i] !== null);
      return { column: i, values, chosen: tells(x, i) ? -1 : among ? values.indexOf(among[i]) : apart };
    });
  }

  // The rows that the filters let through.
  function chosenRows(filters) {
    return rows.filter((row) => filters.every((f) => f.chosen < 0 || row[f.column] === f.values[f.chosen]));
  }

  // {name, points: [[x, y]]} per value of the series column, x as numbers (places on a scale of
  // names where they are none).
  function seriesOf(plot, names) {
    const found = new Map();
    for (const row of chosenRows(plot.filters)) {
      const x = names ? names.indexOf(row[plot.x]) : row[plot.x];
      const y = row[plot.y];
      if (typeof x !== "number" || x < 0 && names || typeof y !== "number") continue;
      const label = plot.series < 0 ? columns[plot.y] : format(row[plot.series]);
      const key = plot.family ? label.split(":")[0] : label;  // static:1, static:2, ... are one
      if (!found.has(key)) found.set(key, []);
      found.get(key).push([x, y]);
    }
    return [...found].map(([name, points]) => ({ name, points }));
  }

  // Rows that were recorded round by round, and what was.
  const recorded = (read("result").rows ?? []).filter((row) => row.series);
  const sweptText = (row) => Object.entries(row.cell?.swept ?? {}).map(([name, value]) => `${name} ${format(value)}`).join(", ");

  function roundsOf(plot) {
    return recorded.filter((row) => sweptText(row) === plot.cell && row.series[plot.y]?.length > 0)
      .map((row) => ({ name: format(row.label), points: row.series[plot.y].map((y, i) => [i + 1, y]) }));
  }

  // uPlot wants one x axis for all: every (x, y) of every series gets a place of its own.
  function aligned(series) {
    const places = [];
    series.forEach((s, i) => s.points.forEach(([x, y]) => places.push([x, i, y])));
    places.sort((a, b) => a[0] - b[0]);
    const xs = [];
    const ys = series.map(() => []);
    for (const [x, i, y] of places) {
      const last = xs.length - 1;
      if (last < 0 || xs[last] !== x || ys[i][last] !== null) {
        xs.push(x);
        ys.forEach((values) => values.push(null));
      }
      ys[i][xs.length - 1] = y;
    }
    return [xs, ...ys];
  }

  function chart(plot, at, legend) {
    const names = plot.rounds || isNumeric(plot.x) ? null : distinct(column(plot.x)).filter((v) => v !== null);
    const series = plot.rounds ? roundsOf(plot) : seriesOf(plot, names);
    const [xName, yName] = plot.rounds ? ["round", plot.y] : [columns[plot.x], columns[plot.y]];
    at.replaceChildren();
    legend.replaceChildren();
    if (series.length === 0) {
      at.append(element("p", { class: "hint" }, "No row has both numbers."));
      return null;
    }
    const data = aligned(series);
    const positive = (values) => values.every((v) => v === null || v > 0);
    const logX = plot.logX && !names && positive(data[0]);
    const logY = plot.logY && data.slice(1).every(positive);
    const axis = (text) => ({
      label: text, stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 },
      labelSize: 24, size: 56,
    });
    const ticks = names
      ? { splits: () => names.map((_, i) => i), values: (u, places) => places.map((i) => format(names[i])) }
      : { values: (u, places) => places.map((v) => (v === null ? "" : format(v))) };
    const readout = [];
    const uplot = new uPlot({
      width: Math.max(260, at.clientWidth), height: Math.max(260, Math.min(420, at.clientWidth * 0.5)),
      legend: { show: false },
      cursor: { focus: { prox: 24 }, drag: { x: true, y: true } },
      scales: {
        x: { time: false, distr: logX ? 3 : 1, range: names ? [-0.3, names.length - 0.7] : undefined },
        y: { distr: logY ? 3 : 1 },
      },
      axes: [{ ...axis(xName), ...ticks }, { ...axis(yName), size: 64, values: (u, places) => places.map((v) => (v === null ? "" : format(v))) }],
      series: [{}, ...series.map((s, i) => ({
        label: s.name, stroke: colour(i), width: 2, dash: dash(i), spanGaps: true,
        paths: plot.points ? () => null : undefined, points: { show: data[0].length < 500, size: plot.points ? 9 : 6, width: 2, fill: hollow(i) ? ground() : colour(i) },
      }))],
      hooks: {
        setCursor: [(u) => readout.forEach((span, i) => {
          const at_ = u.cursor.idx;
          const y = at_ === null || at_ === undefined ? null : u.data[i + 1][at_];
          span.textContent = y === null || y === undefined ? "" : format(y);
        })],
      },
    }, data, at);
    series.forEach((s, i) => {
      const value = element("span", { class: "value" });
      readout.push(value);
      const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = hollow(i) ? ground() : colour(i);
      swatch.style.border = `2px solid ${colour(i)}`;
      legend.append(element("button", {
        type: "button", "aria-pressed": "true",
        onclick: (e) => {
          const shown = e.currentTarget.getAttribute("aria-pressed") !== "true";
          e.currentTarget.setAttribute("aria-pressed", String(shown));
          uplot.setSeries(i + 1, { show: shown });
        },
      }, swatch, s.name, value));
    });
    // With the keyboard: left and right move along x.
    uplot.over.tabIndex = 0;
    uplot.over.setAttribute("role", "img");
    uplot.over.setAttribute("aria-label",
      `${yName} against ${xName}, ${series.length} series; arrow keys read values, the table has all`);
    uplot.over.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!step) return;
      e.preventDefault();
      const next = Math.min(data[0].length - 1, Math.max(0, (uplot.cursor.idx ?? -step) + step));
      uplot.setCursor({ left: uplot.valToPos(data[0][next], "x"), top: 0 });
    });
    return uplot;
  }

  function plotPanel(parent, plot) {
    const controls = element("div", { class: "controls" });
    const at = element("div", { class: "plot" });
    const legend = element("div", { class: "legend", role: "group", "aria-label": "series" });
    let current = null;
    const draw = () => {
      if (current) current.destroy();
      current = chart(plot, at, legend);
    };
    const set = (key) => (value) => { plot[key] = value; draw(); };
    const alongX = (x) => {
      plot.x = x;
      plot.filters = columns[x].startsWith("cell.") ? filtersFor(x) : plot.filters;
      show();
      draw();
    };
    const xs = [...new Set([plot.x, ...view.swept.map(index), ...numericColumns])];
    const show = () => controls.replaceChildren(
      chooser("x", named(xs), plot.x, alongX),
      chooser("y", named(numericColumns), plot.y, set("y")),
      checkbox("log x", plot.logX, set("logX")), checkbox("log y", plot.logY, set("logY")),
      checkbox("points only", plot.points, set("points")),
      ...plot.filters.map((filter) => chooser(columns[filter.column],
        [[-1, "all"], ...filter.values.map((v, i) => [i, format(v)])], filter.chosen,
        (i) => { filter.chosen = i; draw(); })));
    show();
    parent.append(element("figure", {}, element("figcaption", {}, plot.caption), controls, at, legend));
    draw();
    redraws.push(draw);
  }

  // What happened in each round: one line per row of a cell.
  function roundPanel(parent) {
    const cells = distinct(recorded.map(sweptText));
    const keys = Object.keys(recorded[0].series).filter((key) => recorded.some((row) => row.series[key].length > 0));
    const plot = { rounds: true, cell: cells[0], y: keys.includes("queue_j") ? "queue_j" : keys[0] };
    const at = element("div", { class: "plot" });
    const legend = element("div", { class: "legend", role: "group", "aria-label": "series" });
    let current = null;
    const draw = () => {
      if (current) current.destroy();
      current = chart(plot, at, legend);
    };
    const choice = (name, key, values) => chooser(name, values.map((v, i) => [i, v]), values.indexOf(plot[key]),
      (i) => { plot[key] = values[i]; draw(); });
    const controls = element("div", { class: "controls" }, choice("y", "y", keys));
    if (cells.length > 1) controls.append(choice("cell", "cell", cells));
    parent.append(element("figure", {}, element("figcaption", {}, "Round by round"), controls, at, legend));
    draw();
    redraws.push(draw);
  }

  // Bars with their spread, for rows that only differ in their name.
  function barPanel(parent, y) {
    const at = element("div", { class: "bars" });
    const bounds = (i) => {
      const base = columns[i].replace(/\.median$/, "");
      const low = index(columns[i].endsWith(".median") ? `${base}.min` : `${base}_min`);
      const high = index(columns[i].endsWith(".median") ? `${base}.max` : `${base}_max`);
      return low < 0 || high < 0 ? null : [low, high];
    };
    const draw = (i) => {
      at.replaceChildren();
      const spread = bounds(i);
      const largest = Math.max(...column(spread ? spread[1] : i).map((v) => (typeof v === "number" ? v : 0)), 0);
      const names = distinct(column(view.series < 0 ? 0 : view.series));
      for (const row of rows) {
        const value = row[i];
        const share = (v) => `${largest > 0 && typeof v === "number" ? Math.max(0, 100 * v / largest) : 0}%`;
        const bar = element("div", { class: "bar" });
        bar.style.width = share(value);
        bar.style.background = colour(Math.max(0, names.indexOf(row[view.series < 0 ? 0 : view.series])));
        const track = element("div", { class: "track", "aria-hidden": "true" }, bar);
        let text = format(value);
        if (spread && typeof row[spread[0]] === "number") {
          const whisker = element("div", { class: "spread" });
          whisker.style.left = share(row[spread[0]]);
          whisker.style.width = `calc(${share(row[spread[1]])} - ${share(row[spread[0]])})`;
          track.append(whisker);
          text += ` (${format(row[spread[0]])} to ${format(row[spread[1]])})`;
        }
        at.append(element("div", { class: "name" }, format(row[view.series < 0 ? 0 : view.series])), track,
          element("div", { class: "value" }, text));
      }
    };
    const controls = element("div", { class: "controls" }, chooser("show", named(numericColumns), y, draw));
    parent.append(element("figure", {}, element("figcaption", {}, "Rows side by side; the line is the spread of the repetitions"), controls, at));
    draw(y);
  }

  const redraws = [];
  function plots() {
    const parent = document.getElementById("plots");
    parent.replaceChildren();
    if (numericColumns.length === 0 || rows.length === 0) return;
    const rate = view.y >= 0 ? view.y : numericColumns[0];
    const filters = () => filtersFor(view.x < 0 ? 0 : view.x);
    const base = { series: view.series, logX: false, logY: false };
    if (view.x >= 0) {
      plotPanel(parent, { ...base, x: view.x, y: rate, filters: filters(), points: false, caption: "Speed" });
      if (view.cost >= 0) plotPanel(parent, { ...base, x: view.x, y: view.cost, filters: filters(), points: false, caption: "Energy" });
    } else {
      barPanel(parent, rate);
    }
    if (view.cost >= 0 && rows.length > 1) {
      plotPanel(parent, { ...base, family: distinct(column(Math.max(0, view.series))).length > 8, x: view.cost, y: rate, filters: filtersFor(Math.max(0, view.x), 0), points: true,
        caption: "Trade-off: up and to the left is better" });
    }
    if (recorded.length > 0) roundPanel(parent);
  }

  function sorting() {
    const table = document.querySelector("table.rows");
    if (!table) return;
    const body = table.tBodies[0];
    const lines = [...body.rows];
    table.querySelectorAll("thead th").forEach((head, i) => {
      const button = element("button", { type: "button", title: "sort" }, head.textContent);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const order = (a, b) => (a === b ? 0 : a === null ? 1 : b === null ? -1
          : typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
        lines.map((line_, at) => [line_, rows[at][i]])
          .sort((a, b) => (down ? -1 : 1) * order(a[1], b[1]))
          .forEach(([line_]) => body.append(line_));
      });
    });
  }

  function download(name, type, text) {
    const link = element("a", { download: name, href: URL.createObjectURL(new Blob([text], { type })) });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function downloads() {
    const file = title.replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 60) || "result";
    const cell = (v) => (v === null ? "" : /[",\n\r]/.test(String(v)) ? `"${String(v).replaceAll('"', '""')}"` : String(v));
    const csv = () => [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
    document.getElementById("downloads").append(
      element("button", { type: "button", onclick: () => download(`${file}.csv`, "text/csv", csv()) }, "Save the table as CSV"), " ",
      element("button", { type: "button", onclick: () => download(`${file}.json`, "application/json", document.getElementById("result").textContent) }, "Save the result as JSON"));
  }

  function theme() {
    const dark = () => document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.querySelector("header").append(element("button", {
      type: "button",
      onclick: () => {
        document.documentElement.dataset.theme = dark() ? "light" : "dark";
        redraws.forEach((draw) => draw());
      },
    }, "Light / dark"));
  }

  theme();
  downloads();
  sorting();
  plots();
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;  // a phone's address bar comes and goes
    width = innerWidth;
    redraws.forEach((draw) => draw());
  });
  document.documentElement.dataset.ready = "true";
})();

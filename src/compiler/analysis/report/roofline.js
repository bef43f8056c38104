// ---- speed: each layer's multiplications a second beside what multipliers and bus would allow -------------------------
// What a layer waits for, in the order of the legend.
const limits = { multipliers: "the array of multipliers", "output stage": "functions, pools, results", memory: "bytes over the bus",
  start: "what each layer and piece costs", CPU: "not on the NPU" };
const limitColour = (limit) => `var(--wait-${limit.replace(" ", "-")})`;
const isDot = (layer) => layer.place === "NPU";
const rate = (layer) => layer.macs / layer.microseconds * 1e6;
const intensity = (layer) => layer.bytes ? layer.macs / layer.bytes : 0;
const percent = (share) => share >= .0995 ? `${(100 * share).toFixed(0)} %` : share >= .0005 ? `${(100 * share).toFixed(1)} %` : "< 0.1 %";
// 1.02 T, 33.2 G, 640 k.
function withPrefix(x) {
  if (!x) return "0 ";
  const step = Math.max(0, Math.min(5, Math.floor(Math.log10(Number(x.toPrecision(3))) / 3))), part = x / 1000 ** step;
  return `${part >= 100 ? part.toFixed(0) : Number(part.toPrecision(3))} ${["", "k", "M", "G", "T", "P"][step]}`;
}
const duration = (microseconds) => microseconds >= 1e4 ? `${(microseconds / 1e3).toFixed(1)} ms` : microseconds >= 1e3 ?
  `${(microseconds / 1e3).toFixed(2)} ms` : `${microseconds.toFixed(microseconds < 10 ? 1 : 0)} µs`;
const roofName = (roof) => roof.dtype + (roof.sparse ? ", sparse" : "");
const typeText = (layer) => layer.dtype + (layer.sparse ? ", sparse" : "");

function dotTip(layer, speed) {
  const of = layer.macs ? `${withPrefix(rate(layer))}MAC/s, ${percent(rate(layer) / layer.roof)} of the roof at ${short(intensity(layer))} MAC/B` :
    "multiplies nothing";
  return [make("div", {}, make("b", {}, `[${layer.op}] ${layer.name}`)),
    make("div", {}, `${duration(layer.microseconds)}, ${percent(layer.microseconds / speed.microseconds)} of the run; ${typeText(layer)}`),
    make("div", {}, `${withPrefix(layer.macs)}MAC, ${withPrefix(layer.bytes)}B over the bus`), make("div", {}, of),
    make("div", {}, make("i", { class: "key", style: `background:${limitColour(layer.bottleneck)}` }), make("b", {}, layer.limit))];
}

// Powers of ten between two numbers; with 2 and 5 where there would be less than three.
function logTicks(low, high) {
  const within = (factors) => {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); ++power) {
      for (const factor of factors) ticks.push(Number((factor * 10 ** power).toPrecision(3)));
    }
    return ticks.filter((tick) => tick >= low * .999 && tick <= high * 1.001);
  };
  const tens = within([1]);
  return tens.length > 2 ? tens : within([1, 2, 5]);
}

// Ids of the picture's parts have to differ where a page has several.
function rooflineChart(speed, ranks, number) {
  const dots = speed.layers.filter(isDot), points = dots.filter((layer) => layer.macs), idle = dots.filter((layer) => !layer.macs);
  const width = 1120, left = 66, right = 18, top = 18, height = 380, lane = idle.length ? 44 : 0, bottom = top + height;
  const highest = Math.max(...speed.roofs.map((roof) => roof.macs_per_second)), lowest = Math.min(...speed.roofs.map((roof) => roof.macs_per_second));
  const ridges = speed.roofs.map((roof) => roof.macs_per_second / speed.bytes_per_second);
  const xs = points.map(intensity), lowX = Math.min(...xs, ridges[0] / 8) / 1.5, highX = Math.max(...xs, ridges.at(-1) * 6) * 1.5;
  const lowY = Math.min(...points.map(rate), lowest / 12) / 1.6, highY = highest * 2.2;
  const scale = (value, low, high, length) => Math.log(value / low) / Math.log(high / low) * length;
  const x = (value) => left + scale(value, lowX, highX, width - left - right), y = (value) => bottom - scale(value, lowY, highY, height);
  const frame = draw("g", { class: "frame" }), marks = draw("g"), words = draw("g");
  const line = (x1, y1, x2, y2, more) => frame.append(draw("line", { x1, y1, x2, y2, ...more }));
  const taken = [];
  const label = (into, text, at, base, anchor, more = {}) => into.append(draw("text", { x: at, y: base, "text-anchor": anchor, "font-size": 11,
    style: "fill:var(--dim)", ...more }, text));

  const title = `Roofline of ${speed.target}`;
  frame.append(draw("title", { id: `roofline-title-${number}` }, title));
  for (const tick of logTicks(lowY, highY)) {
    line(left, y(tick), width - right, y(tick), { stroke: "var(--soft)" });
    label(frame, withPrefix(tick).trim(), left - 7, y(tick) + 4, "end");
  }
  for (const tick of logTicks(lowX, highX)) {
    line(x(tick), top, x(tick), bottom, { stroke: "var(--soft)" });
    label(frame, short(tick), x(tick), bottom + 16, "middle");
  }
  line(left, bottom, width - right, bottom, { stroke: "var(--line)" });
  line(left, top, left, bottom, { stroke: "var(--line)" });
  label(frame, "MACs per byte over the bus", (left + width - right) / 2, bottom + 34, "middle");
  frame.append(draw("text", { x: 0, y: 0, transform: `translate(14 ${top + height / 2}) rotate(-90)`, "text-anchor": "middle", "font-size": 11,
    style: "fill:var(--dim)" }, "MACs per second (MAC/s)"));

  // The bus up to the highest roof, then each roof from where the bus would carry enough for it.
  const ridge = highest / speed.bytes_per_second, start = Math.max(lowX, lowY / speed.bytes_per_second);
  const solid = { stroke: "var(--text)", "stroke-width": 1.6, "stroke-opacity": .75 };
  line(x(start), y(start * speed.bytes_per_second), x(ridge), y(highest), { class: "bus", ...solid });
  const angle = Math.atan2(y(10) - y(1), x(10) - x(1)) * 180 / Math.PI;
  // Beside the lower part of the slope, where no dot can be.
  const along = Math.sqrt(start * Math.min(...ridges)), onSlope = [x(along), y(along * speed.bytes_per_second)];
  frame.append(draw("text", { class: "bus", transform: `translate(${onSlope[0] - 6} ${onSlope[1] - 6}) rotate(${angle})`, "text-anchor": "middle", "font-size": 12,
    style: "fill:var(--text)" }, `bus: ${withPrefix(speed.bytes_per_second)}B/s`));
  // Types of one height (int16, float16) share a line.
  const heights = [...new Set(speed.roofs.map((roof) => roof.macs_per_second))];
  for (const flat of heights) {
    const names = speed.roofs.filter((roof) => roof.macs_per_second === flat).map(roofName).join("; ");
    line(x(flat / speed.bytes_per_second), y(flat), width - right, y(flat), { class: "roof", ...solid });
    const text = `${names}: ${withPrefix(flat)}MAC/s`;
    label(words, text, width - right - 4, y(flat) - 6, "end", { class: "roof halo", "font-size": 12, style: "fill:var(--text)" });
    taken.push({ x: width - right - 4 - 6.6 * text.length, y: y(flat) - 18, width: 6.6 * text.length, height: 16 });
  }

  // The largest first, so that small ones lie on top.
  const radius = (layer) => Math.max(2.8, Math.min(20, 34 * Math.sqrt(layer.microseconds / speed.microseconds)));
  const laneTop = bottom + 46, places = new Map();
  points.forEach((layer) => places.set(layer, [x(intensity(layer)), y(rate(layer))]));
  idle.forEach((layer, i) => places.set(layer, [left + 84 + (i + .5) / idle.length * (width - left - right - 88), laneTop + lane / 2]));
  if (idle.length) {
    frame.append(draw("rect", { x: left, y: laneTop, width: width - left - right, height: lane, fill: "var(--soft)", rx: 5 }));
    label(frame, "no MACs,", left + 8, laneTop + lane / 2 - 3, "start");
    label(frame, "in their order", left + 8, laneTop + lane / 2 + 11, "start");
  }
  for (const layer of [...dots].sort((a, b) => b.microseconds - a.microseconds)) {
    const [cx, cy] = places.get(layer), r = radius(layer), narrow = ["int8", "int4"].includes(layer.dtype);
    const shape = narrow ? draw("circle", { cx, cy, r }) : draw("rect", { x: cx - r * .89, y: cy - r * .89, width: r * 1.78, height: r * 1.78 });
    for (const [key, value] of Object.entries({ class: "dot", "data-name": layer.name, stroke: "var(--card)", "fill-opacity": .8,
      style: `fill:${limitColour(layer.bottleneck)}` })) shape.setAttribute(key, value);
    shape.addEventListener("mousemove", (event) => showTip(event, dotTip(layer, speed)));
    shape.addEventListener("mouseleave", hideTip);
    marks.append(shape);
  }
  // Numbers of the table, wherever one has room beside its dot; the longest layers choose first.
  const clash = (a) => a.x < left || a.x + a.width > width - right || a.y < 2 ||
    taken.some((b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height);
  ranks.forEach((layer, i) => {
    if (!places.has(layer)) return;
    const [cx, cy] = places.get(layer), text = String(i + 1), wide = 7.5 * text.length, r = radius(layer), away = r + 3 + wide / 2, corner = r * .7 + 6;
    const ways = [[0, 0], [away, 0], [-away, 0], [0, -r - 8], [0, r + 8], [corner, -corner], [-corner, -corner], [corner, corner], [-corner, corner]];
    for (const [dx, dy] of r >= 9 ? ways : ways.slice(1)) {
      const box = { x: cx + dx - wide / 2, y: cy + dy - 6, width: wide, height: 12 };
      if (clash(box)) continue;
      taken.push(box);
      label(words, text, cx + dx, cy + dy + 4, "middle", { class: "rank halo", "font-weight": 600, style: "fill:var(--text)" });
      break;
    }
  });
  const svg = draw("svg", { class: "roofline", viewBox: `0 0 ${width} ${bottom + 42 + (idle.length ? lane + 8 : 0)}`, width: "100%", style: `max-width:${width}px`, role: "img",
    "aria-labelledby": `roofline-title-${number}`, "aria-describedby": `roofline-text-${number}` },
    draw("desc", { id: `roofline-text-${number}` }, `${dots.length} layers as dots: reached MACs per second over MACs per byte. The bus carries ` +
      `${withPrefix(speed.bytes_per_second)}bytes a second; multipliers do at most ${speed.roofs.map((roof) => `${withPrefix(roof.macs_per_second)}MACs a second in ${roofName(roof)}`).join(", ")}. The table has the numbers.`),
    frame, marks, words);
  return svg;
}

function shareBar(speed) {
  const times = Object.keys(limits).map((limit) => [limit, limits[limit], limitColour(limit),
    speed.layers.reduce((sum, layer) => sum + (layer.bottleneck === limit ? layer.microseconds : 0), 0)]);
  times.push(["each run", "driver, input, output", "var(--line)", speed.run_microseconds]);
  const shown = times.filter((entry) => entry[3] > 0);
  return [make("div", { class: "shares", "aria-hidden": "true" }, ...shown.map(([limit, , colour, time]) =>
    make("i", { style: `flex:${time};background:${colour}`, title: limit }))),
    make("div", { class: "legend" }, ...shown.map(([limit, words, colour, time]) => make("span", { title: words },
      make("i", { style: `background:${colour}` }), `${limit} `, make("b", {}, percent(time / speed.microseconds)))))];
}

function speedTable(speed, layers, first, caption) {
  const heads = [["#", 1], ["Time", 1], ["%", 1], ["Operator"], ["Layer"], ["Precision"], ["MACs", 1], ["Bytes", 1], ["MAC/B", 1], ["MAC/s", 1], ["of the roof", 1], ["What limits it"]];
  return make("div", { class: "scroll" }, make("table", { class: "speed" }, make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...heads.map(([text, right]) => make("th", { scope: "col", class: right ? "plain number" : "plain" }, text)))),
    make("tbody", {}, ...layers.map((layer, i) => {
      const roofed = isDot(layer) && layer.macs > 0;
      const cells = [first + i, duration(layer.microseconds), percent(layer.microseconds / speed.microseconds), layer.op, layer.name, chip(layer.dtype),
        withPrefix(layer.macs), `${withPrefix(layer.bytes)}B`, roofed ? short(Number(intensity(layer).toPrecision(3))) : "–", roofed ? withPrefix(rate(layer)) : "–",
        roofed ? percent(rate(layer) / layer.roof) : "–", make("span", {}, make("i", { class: "key", style: `background:${limitColour(layer.bottleneck)}` }), layer.limit)];
      if (layer.sparse) cells[5] = make("span", {}, cells[5], " sparse");
      return make("tr", {}, ...cells.map((cell, at) => make("td", { class: heads[at][1] ? "number" : heads[at][0] === "Layer" ? "name" : heads[at][0] === "What limits it" ? "long" : "",
        ...(heads[at][0] === "Layer" ? { title: layer.name } : {}) }, typeof cell === "object" ? cell : String(cell))));
    }))));
}

function showSpeed(speed, number) {
  const most = 10, ranks = [...speed.layers].sort((a, b) => b.microseconds - a.microseconds), card = make("div", { class: "card" });
  const cores = speed.cores > 1 ? `, ${speed.cores} cores sharing each run` : ", one core";
  card.append(make("p", {}, make("b", { class: "run" }, `${(speed.microseconds / 1e3).toFixed(2)} ms`), " a run, ", make("b", {}, `${(1e6 / speed.microseconds).toFixed(1)} fps`),
    `${cores}, ${speed.build}. An estimate, not a measurement`, speed.calibrated ? "" : "; ",
    speed.calibrated ? "" : make("b", { class: "fair uncalibrated" }, `uncalibrated: no rates of ${speed.target}'s family are public`), "."), ...shareBar(speed));
  if (speed.layers.some(isDot)) {
    const kinds = speed.layers.filter(isDot).map((layer) => layer.dtype);
    const both = kinds.includes("int8") && kinds.some((dtype) => dtype !== "int8");
    card.append(make("figure", { class: "wide" }, rooflineChart(speed, ranks.slice(0, most), number),
      make("figcaption", {}, `A dot is a layer on the NPU, as large as its share of the time and coloured by what it waits for${both ? " (round in 8 bits, square in 16)" : ""}; ` +
        "numbers are those of the table. No dot can lie above the lines: the slope is what the bus carries, the flat ones what the multipliers do.")));
  } else {
    card.append(make("p", { class: "quiet" }, "No layer is on the NPU, so there is no roof."));
  }
  find("#speed").append(make("h2", {}, `Speed on ${speed.target}`, make("small", {}, "estimated: where time goes, and what it is bound by")), card,
    speedTable(speed, ranks.slice(0, most), 1, ranks.length > most ? `The ${most} layers that take longest, of ${ranks.length}` : "Layers, slowest first"));
  if (ranks.length > most) find("#speed").append(make("details", {}, make("summary", {}, `the other ${ranks.length - most} layers`),
    speedTable(speed, ranks.slice(most), most + 1, "Further layers")));
}

// Several SoCs at a glance, before the picture of each.
function showTargets() {
  if (data.speed.length < 2) return;
  const cell = (text, kind = "") => make("td", { class: kind }, text);
  find("#speed").append(make("h2", {}, "Targets"), make("div", { class: "scroll" }, make("table", { class: "targets" },
    make("thead", {}, make("tr", {}, ...["Target", "Build", "Cores", "ms", "fps", ""].map((text, i) => make("th", { scope: "col", class: i > 1 && i < 5 ? "plain number" : "plain" }, text)))),
    make("tbody", {}, ...data.speed.map((speed) => make("tr", {}, cell(speed.target), cell(speed.build), cell(String(speed.cores), "number"),
      cell((speed.microseconds / 1e3).toFixed(2), "number"), cell((1e6 / speed.microseconds).toFixed(1), "number"), cell([
        speed.calibrated ? "" : "uncalibrated", speed.layers.some((layer) => layer.place === "none") ? "has layers that cannot run there" : ""].filter(Boolean).join("; "))))))));
}

// Plots answer a pointer, a touch and the keyboard with the values that stand in their data- attributes, and the legend
// hides and shows series. Nothing is drawn anew but a marker: the curves are those of the SVG files.
{
  const SVG = "http://www.w3.org/2000/svg";
  const SHOWN = 8; // lines of a tip
  const tip = document.getElementById("tip");
  const plots = new WeakMap();

  const numbers = (text) => (text ? text.split(" ").map(Number) : null);
  const finite = (value) => value !== undefined && Number.isFinite(value);
  const told = (value) => {
    if (!finite(value)) return "–";
    if (Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4);
  };

  // ------------------------------------------------------------------------------------------------ reading a plot
  const read = (svg) => {
    if (plots.has(svg)) return plots.get(svg);
    const [x0, x1, y0, y1] = numbers(svg.dataset.range);
    const [left, right, top, bottom] = numbers(svg.dataset.box);
    const across = (x) => left + ((x - x0) / (x1 - x0)) * (right - left);
    const up = (y) => bottom - ((y - y0) / (y1 - y0)) * (bottom - top);
    const points = [];
    let before = [];
    for (const group of svg.querySelectorAll("g[data-series]")) {
      const lists = {};
      for (const name of ["y", "low", "high", "t"]) lists[name] = numbers(group.dataset[name]) || [];
      before = lists.x = group.dataset.x === "same" ? before : numbers(group.dataset.x) || [];
      lists.x.forEach((x, n) => {
        const y = lists.y[n];
        if (!finite(x) || !finite(y)) return;
        const point = { group, x, y, low: lists.low[n], high: lists.high[n], t: lists.t[n], px: across(x), py: up(y) };
        points.push(point);
      });
    }
    const plot = { svg, points, left, right, top, bottom, hover: svg.dataset.hover, at: null };
    plots.set(svg, plot);
    return plot;
  };

  const visible = (plot) => plot.points.filter((point) => !point.group.classList.contains("off"));

  // The points that a place (x, y) of the drawing means: the nearest first.
  const found = (plot, x, y) => {
    const points = visible(plot);
    if (!points.length) return [];
    const least = (list, distance) => list.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    if (plot.hover === "xy") return [least(points, (p) => Math.hypot(p.px - x, p.py - y))];
    if (plot.hover === "row") return [least(points, (p) => Math.abs(p.py - y) + Math.abs(p.px - x) / 1000)];
    const column = least(points, (p) => Math.abs(p.px - x)).px;
    const there = points.filter((p) => Math.abs(p.px - column) < 0.5);
    return there.sort((a, b) => Math.abs(a.py - y) - Math.abs(b.py - y));
  };

  // ---------------------------------------------------------------------------------------------------- the tip
  const line = (text, className) => {
    const node = document.createElement("div");
    node.textContent = text;
    if (className) node.className = className;
    return node;
  };

  const interval = (point) =>
    finite(point.low) && finite(point.high) ? ` [${told(point.low)}, ${told(point.high)}]` : "";

  const lines = (plot, points) => {
    const { xName, yName, tName } = plot.svg.dataset;
    const [first] = points;
    const name = first.group.dataset.series;
    if (plot.hover === "row") return [line(name), line(`${xName || "value"}: ${told(first.x)}${interval(first)}`)];
    const place = finite(first.t) ? `${tName} ${told(first.t)}` : `${xName} ${told(first.x)}`;
    if (plot.hover === "xy") {
      const values = [line(`${xName}: ${told(first.x)}`), line(`${yName}: ${told(first.y)}${interval(first)}`)];
      return [line(finite(first.t) ? `${name}, ${place}` : name), ...values];
    }
    const rows = points.slice(0, SHOWN).map((point) => {
      const row = line(`${point.group.dataset.series}: ${told(point.y)}${interval(point)}`, point.group.classList[1]);
      row.classList.add("of-series");
      return row;
    });
    const more = points.length > SHOWN ? [line(`and ${points.length - SHOWN} more`)] : [];
    return [line(`${place} · ${yName}`), ...rows, ...more];
  };

  const mark = (plot, point) => {
    let marker = plot.svg.querySelector(".marker");
    if (!marker) {
      marker = document.createElementNS(SVG, "g");
      marker.setAttribute("class", "marker");
      marker.append(document.createElementNS(SVG, "line"), document.createElementNS(SVG, "circle"));
      plot.svg.append(marker);
    }
    const [cross, dot] = marker.children;
    const place = { x1: point.px, x2: point.px, y1: plot.top, y2: plot.bottom };
    for (const [name, value] of Object.entries(place)) cross.setAttribute(name, value);
    for (const [name, value] of Object.entries({ cx: point.px, cy: point.py, r: 4.5 })) dot.setAttribute(name, value);
    dot.setAttribute("class", point.group.classList[1]);
  };

  const show = (plot, points) => {
    if (!points.length) return hide(plot);
    const [point] = points;
    plot.at = point;
    mark(plot, point);
    tip.replaceChildren(...lines(plot, points));
    tip.hidden = false;
    const box = plot.svg.getBoundingClientRect();
    const scale = box.width / plot.svg.viewBox.baseVal.width;
    const [x, y] = [box.left + point.px * scale, box.top + point.py * scale];
    const width = document.documentElement.clientWidth;
    const left = x + 14 + tip.offsetWidth < width ? x + 14 : x - 14 - tip.offsetWidth;
    tip.style.left = `${Math.max(4, Math.min(left, width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(4, Math.min(y - tip.offsetHeight / 2, innerHeight - tip.offsetHeight - 4))}px`;
  };

  const hide = (plot) => {
    plot.at = null;
    plot.svg.querySelector(".marker")?.remove();
    tip.hidden = true;
  };

  // ------------------------------------------------------------------------------------- pointer, touch, keyboard
  const point = (event) => {
    const svg = event.currentTarget;
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const plot = read(svg);
    show(plot, found(plot, (event.clientX - box.left) * scale, (event.clientY - box.top) * scale));
  };

  // Left and right: the points of the series in turn; up and down: the series at this place, by their height.
  const step = (plot, key) => {
    const points = visible(plot);
    const from = plot.at || points[0];
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const own = points.filter((p) => p.group === from.group);
      const next = own.indexOf(from) + (plot.at ? (key === "ArrowRight" ? 1 : -1) : 0);
      return own[Math.max(0, Math.min(next, own.length - 1))];
    }
    const groups = [...new Set(points.map((p) => p.group))];
    const near = groups.map((group) => {
      const own = points.filter((p) => p.group === group);
      return own.reduce((a, b) => (Math.abs(b.px - from.px) < Math.abs(a.px - from.px) ? b : a));
    });
    near.sort((a, b) => b.py - a.py);
    const next = near.findIndex((p) => p.group === from.group) + (key === "ArrowUp" ? 1 : -1);
    return near[Math.max(0, Math.min(next, near.length - 1))];
  };

  const press = (event) => {
    const plot = read(event.currentTarget);
    if (event.key === "Escape") hide(plot);
    if (!event.key.startsWith("Arrow") || !visible(plot).length) return;
    event.preventDefault();
    const at = step(plot, event.key);
    show(plot, [at, ...found(plot, at.px, at.py).filter((p) => p !== at)]);
  };

  for (const svg of document.querySelectorAll("svg.plot[data-hover]")) {
    if (!svg.querySelector("g[data-x]:not([data-x=''])")) continue;
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("keydown", press);
    svg.addEventListener("blur", () => hide(read(svg)));
    svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide(read(svg)));
  }
  addEventListener("scroll", () => (tip.hidden = true), { passive: true });

  // ------------------------------------------------------------------------------------------------- the legend
  const toggle = (button) => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    for (const group of button.closest(".figure").querySelectorAll("g[data-series]")) {
      if (group.dataset.series === button.dataset.toggles) group.classList.toggle("off", !on);
    }
  };
  for (const button of document.querySelectorAll("button[data-toggles]")) {
    button.addEventListener("click", () => toggle(button));
  }
}

// Charts that were drawn by the server: what lies below the pointer, a line alone, a closer look at a part.
(() => {
  const root = document.getElementById("compare");
  if (!root) return;
  root.classList.add("scripted");

  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  const brush = Object.assign(document.createElement("div"), { className: "brush", hidden: true });

  let lit = null;
  const light = (run) => {
    if (run === lit) return;
    lit = run;
    for (const svg of root.querySelectorAll("svg.pl")) {
      let any = false;
      for (const each of svg.querySelectorAll("[data-run]")) {
        const on = each.dataset.run === run;
        each.classList.toggle("on", on);
        any ||= on;
      }
      svg.classList.toggle("lit", any);
    }
    for (const each of root.querySelectorAll("#table [data-run]")) each.classList.toggle("on", each.dataset.run === run);
  };

  // The points of a drawing, read once from its paths: x, y and the line they are of.
  const known = new WeakMap();
  const points = (svg) => {
    if (known.has(svg)) return known.get(svg);
    const found = [];
    for (const line of svg.querySelectorAll(".curve")) {
      line.querySelector("title")?.remove(); // the tip says it
      const pairs = line.querySelector("path").getAttribute("d").match(/-?[\d.]+ -?[\d.]+/g) ?? [];
      for (const pair of pairs) {
        const [x, y] = pair.split(" ").map(Number);
        found.push({ x, y, line });
      }
    }
    found.sort((a, b) => a.x - b.x);
    known.set(svg, found);
    return found;
  };

  const nearest = (svg, x, y) => {
    const all = points(svg);
    let low = 0;
    for (let high = all.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (all[middle].x < x) low = middle + 1;
      else high = middle;
    }
    let best = null;
    let least = Infinity;
    for (const way of [1, -1]) {
      for (let at = way > 0 ? low : low - 1; at >= 0 && at < all.length; at += way) {
        const across = (all[at].x - x) ** 2;
        if (across > least) break;
        const far = across + (all[at].y - y) ** 2;
        if (far < least) [best, least] = [all[at], far];
      }
    }
    return least < 60 * 60 ? best : null;
  };

  const number = (svg, name) => Number(svg.dataset[name]);
  const valueX = (svg, x) => {
    const part = (x - number(svg, "left")) / (number(svg, "right") - number(svg, "left"));
    return number(svg, "x0") + Math.min(Math.max(part, 0), 1) * (number(svg, "x1") - number(svg, "x0"));
  };
  const valueY = (svg, y) => {
    const part = (number(svg, "bottom") - y) / (number(svg, "bottom") - number(svg, "top"));
    const value = number(svg, "y0") + part * (number(svg, "y1") - number(svg, "y0"));
    return svg.dataset.log === "1" ? 10 ** value : value;
  };
  const said = (svg, point) => {
    const x = valueX(svg, point.x);
    const axis = svg.dataset.axis;
    const date = new Date(x);
    const place =
      axis === "time" && !Number.isNaN(date.getTime())
        ? date.toISOString().slice(0, 19).replace("T", " ")
        : axis === "relative"
          ? `${(x / 1000).toPrecision(5)} s`
          : `step ${Math.round(x).toLocaleString("en")}`;
    return `${point.line.dataset.name}\n${Number(valueY(svg, point.y).toPrecision(4))} at ${place}`;
  };

  const at = (svg, event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale, scale };
  };

  let start = null;
  let last = null;

  const move = (svg, frame, event) => {
    const place = at(svg, event);
    const scroll = frame.getBoundingClientRect();
    if (start) {
      const box = svg.getBoundingClientRect();
      const [a, b] = [Math.min(start.client, event.clientX), Math.max(start.client, event.clientX)];
      frame.append(brush);
      brush.hidden = b - a < 4;
      brush.style.cssText = `left:${a - scroll.left + frame.scrollLeft}px;width:${b - a}px;top:${box.top - scroll.top}px;height:${box.height}px`;
    }
    last = nearest(svg, place.x, place.y);
    tip.hidden = !last;
    if (!last) return light(null);
    light(last.line.dataset.run);
    tip.textContent = said(svg, last);
    frame.append(tip);
    const left = event.clientX - scroll.left + frame.scrollLeft;
    const turned = event.clientX - scroll.left > scroll.width / 2;
    tip.style.left = turned ? "" : `${left + 14}px`;
    tip.style.right = turned ? `${scroll.width - left + 14}px` : "";
    tip.style.top = `${event.clientY - scroll.top + 14}px`;
  };

  const written = (svg, value, up) => {
    if (svg.dataset.axis === "time") return new Date(value).toISOString().replace("Z", "");
    if (svg.dataset.axis === "relative") return String(Number((value / 1000).toFixed(3)));
    return String(up ? Math.ceil(value) : Math.floor(value));
  };

  const look = async (address) => {
    root.style.cursor = "progress";
    try {
      const answer = await fetch(address, { cache: "no-store" });
      if (!answer.ok) return location.assign(address);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      history.pushState(null, "", address);
      document.getElementById("charts").replaceWith(fresh.getElementById("charts"));
      lit = null;
    } catch {
      location.assign(address);
    } finally {
      root.style.cursor = "";
    }
  };

  root.addEventListener("pointerdown", (event) => {
    const svg = event.target.closest(".live svg");
    if (svg && event.button === 0) start = { svg, client: event.clientX, x: at(svg, event).x };
  });
  root.addEventListener("pointermove", (event) => {
    const svg = start?.svg ?? event.target.closest(".live svg");
    if (svg) return move(svg, svg.closest(".live"), event);
    tip.hidden = true;
    last = null;
    const row = event.target.closest("[data-run]");
    light(row ? row.dataset.run : null);
  });
  addEventListener("pointerup", (event) => {
    if (!start) return;
    const { svg, x } = start;
    start = null;
    brush.hidden = true;
    const end = at(svg, event).x;
    if (Math.abs(end - x) > 8) {
      const address = new URL(location);
      address.searchParams.set("from", written(svg, valueX(svg, Math.min(x, end)), false));
      address.searchParams.set("to", written(svg, valueX(svg, Math.max(x, end)), true));
      address.searchParams.set("x", svg.dataset.axis);
      look(address);
    } else if (last) {
      location.assign(`/runs/${encodeURIComponent(last.line.dataset.run)}`);
    }
  });
  root.addEventListener("pointerleave", () => {
    tip.hidden = true;
    light(null);
  });
  addEventListener("popstate", () => location.reload());
})();

// Hovering, and moving with the arrow keys: the same version in every plot and in the table. Without this script the
// page shows all of it too. Text is only ever set as text.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const tip = document.getElementById("tip");
  const rows = [...document.querySelectorAll("tbody tr")].reverse(); // the table is newest first
  const heads = [...document.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const plots = [...document.querySelectorAll("svg[data-x]")].map((svg) => {
    const make = (name, kind) => {
      const node = document.createElementNS(SVG, name);
      node.setAttribute("class", kind);
      node.setAttribute("visibility", "hidden");
      svg.append(node);
      return node;
    };
    const numbers = (text) => text.split(" ").map((one) => (one === "-" ? null : Number(one)));
    const cross = make("line", "cross");
    const ring = make("circle", "here");
    cross.setAttribute("y1", svg.dataset.top);
    cross.setAttribute("y2", svg.dataset.bottom);
    ring.setAttribute("r", "6");
    return { svg, cross, ring, x: numbers(svg.dataset.x), y: numbers(svg.dataset.y) };
  });
  let now = -1;

  const show = (place) => {
    if (place === now) return;
    if (rows[now]) rows[now].classList.remove("here");
    now = place;
    if (rows[now]) rows[now].classList.add("here");
    for (const { cross, ring, x, y } of plots) {
      const there = now >= 0;
      cross.setAttribute("visibility", there ? "visible" : "hidden");
      ring.setAttribute("visibility", there && y[now] !== null ? "visible" : "hidden");
      if (!there) continue;
      cross.setAttribute("x1", x[now]);
      cross.setAttribute("x2", x[now]);
      ring.setAttribute("cx", x[now]);
      if (y[now] !== null) ring.setAttribute("cy", y[now]);
    }
  };

  const say = (place, left, top) => {
    const cells = [...rows[place].cells];
    const subject = cells.findIndex((cell) => cell.className === "words");
    const title = document.createElement("strong");
    const list = document.createElement("dl");
    title.textContent = cells[subject].firstElementChild.textContent;
    const add = (word, text) => {
      if (!text) return;
      const name = document.createElement("dt");
      const value = document.createElement("dd");
      name.textContent = word;
      value.textContent = text;
      list.append(name, value);
    };
    heads.forEach((head, column) => {
      const under = cells[column].querySelector(".under");
      if (column !== subject) add(head, (under ? cells[column].firstElementChild : cells[column]).textContent);
      if (under) add(under.dataset.name, under.textContent);
    });
    tip.replaceChildren(title, list);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(left + 16, innerWidth - box.width - 4))}px`;
    tip.style.top = `${Math.max(4, Math.min(top + 16, innerHeight - box.height - 4))}px`;
  };

  const nearest = (plot, event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.svg.getScreenCTM().inverse()).x;
    return plot.x.reduce((best, one, place) => (Math.abs(one - at) < Math.abs(plot.x[best] - at) ? place : best), 0);
  };

  const hide = () => {
    tip.hidden = true;
    show(-1);
  };

  for (const plot of plots) {
    plot.svg.addEventListener("pointermove", (event) => {
      show(nearest(plot, event));
      say(now, event.clientX, event.clientY);
    });
    plot.svg.addEventListener("pointerleave", hide);
    plot.svg.addEventListener("click", (event) => {
      location.hash = rows[nearest(plot, event)].id;
    });
    plot.svg.addEventListener("blur", hide);
    plot.svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      const from = now < 0 ? (step > 0 ? -1 : rows.length) : now;
      show(Math.max(0, Math.min(rows.length - 1, from + step)));
      const box = plot.svg.getBoundingClientRect();
      const scale = box.width / plot.svg.viewBox.baseVal.width;
      say(now, box.left + plot.x[now] * scale, box.top + (plot.y[now] ?? 0) * scale);
    });
  }
  rows.forEach((row, place) => {
    row.addEventListener("pointerenter", () => show(place));
    row.addEventListener("pointerleave", () => show(-1));
  });
})();

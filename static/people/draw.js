// Drawing the box of a face over the picture, and showing which face a line of the list is about.
(() => {
  "use strict";
  const frame = document.getElementById("frame");
  const svg = frame?.querySelector("svg.overlay");
  if (!svg) return;

  const form = () => document.getElementById("draw-form");
  const open = () => form()?.closest("details")?.open ?? false;
  const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  box.setAttribute("class", "drawn");
  let corner = null;

  function place(event) {
    const area = svg.getBoundingClientRect();
    const part = (value) => Math.min(Math.max(value, 0), 1);
    return [part((event.clientX - area.left) / area.width), part((event.clientY - area.top) / area.height)];
  }

  function show(from, to) {
    const values = {
      x: Math.min(from[0], to[0]), y: Math.min(from[1], to[1]),
      width: Math.abs(from[0] - to[0]), height: Math.abs(from[1] - to[1]),
    };
    for (const [name, value] of Object.entries(values)) {
      box.setAttribute(name, value.toFixed(5));
      form().elements[name].value = (value * 100).toFixed(1);
    }
  }

  if (open()) {
    frame.classList.add("drawing");
    svg.append(box);
  }
  document.addEventListener("toggle", (event) => {
    if (!event.target.matches?.("details.draw")) return;
    frame.classList.toggle("drawing", event.target.open);
    if (event.target.open) svg.append(box);
    else box.remove();
  }, true);
  frame.addEventListener("pointerdown", (event) => {
    if (!open() || event.button !== 0) return;
    event.preventDefault();
    corner = place(event);
    frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (corner) show(corner, place(event));
  });
  frame.addEventListener("pointerup", (event) => {
    if (!corner) return;
    show(corner, place(event));
    corner = null;
    (form().elements.name ?? form().querySelector("button")).focus();
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (!open()) {
      frame.classList.remove("drawing");
      box.remove();
    }
  });

  for (const [name, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]]) {
    document.addEventListener(name, (event) => {
      const line = event.target.closest?.("[data-face]");
      if (line) document.getElementById(line.dataset.face)?.classList.toggle("on", on);
    });
  }
})();

// The photo page: keys, swipes, boxes over the picture, and the neighbours fetched ahead.
(() => {
  "use strict";
  const frame = document.getElementById("frame");
  const go = (id) => document.getElementById(id)?.click();

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "ArrowLeft" || event.key === "k") go("newer");
    else if (event.key === "ArrowRight" || event.key === "j") go("older");
    else if (event.key === "Escape") go("back");
    else if (event.key === "f") document.querySelector("[data-shows=faces]")?.click();
    else if (event.key === "t") document.querySelector("[data-shows=blocks]")?.click();
  });

  document.querySelectorAll(".overlay-toggle").forEach((button) => {
    button.hidden = !frame;
    button.addEventListener("click", () => {
      const on = frame.classList.toggle(`show-${button.dataset.shows}`);
      button.setAttribute("aria-pressed", String(on));
    });
  });

  document.querySelectorAll("[data-block]").forEach((line) => {
    const box = document.getElementById(line.dataset.block);
    if (!box) return;
    for (const name of ["mouseenter", "focus"]) line.addEventListener(name, () => box.classList.add("on"));
    for (const name of ["mouseleave", "blur"]) line.addEventListener(name, () => box.classList.remove("on"));
  });

  let start = null;
  frame?.addEventListener("touchstart", (event) => {
    start = event.touches.length === 1 ? event.touches[0] : null;
  }, { passive: true });
  frame?.addEventListener("touchend", (event) => {
    if (!start) return;
    const across = event.changedTouches[0].clientX - start.clientX;
    const down = event.changedTouches[0].clientY - start.clientY;
    const zoomed = window.visualViewport && window.visualViewport.scale > 1.05;
    if (!zoomed && Math.abs(across) > 60 && Math.abs(across) > 2 * Math.abs(down)) go(across > 0 ? "newer" : "older");
  }, { passive: true });

  window.addEventListener("load", () => {
    document.querySelectorAll("[data-preview]").forEach((link) => {
      new Image().src = link.dataset.preview;
    });
  });
})();

// Ticking photos: with Shift a whole row of them, Escape none; the bar says how many there are.
(() => {
  "use strict";
  const boxes = () => Array.from(document.querySelectorAll(".pick input"));
  let last = null;

  const count = () => {
    const place = document.querySelector("#selection [data-count]");
    if (!place) return;
    const chosen = boxes().filter((box) => box.checked).length;
    place.textContent = `${chosen} chosen`;
  };

  document.addEventListener("click", (event) => {
    const box = event.target.closest(".pick input");
    if (!box) return;
    const all = boxes();
    const from = all.indexOf(last);
    if (event.shiftKey && from >= 0) {
      const to = all.indexOf(box);
      all.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((other) => { other.checked = box.checked; });
    }
    last = box;
    count();
  });
  // A label hands its click on without the Shift key of the mouse in some browsers; selecting text would too.
  document.addEventListener("mousedown", (event) => {
    if (event.shiftKey && event.target.closest(".pick")) event.preventDefault();
  });
  document.addEventListener("reset", (event) => {
    if (event.target.id === "selection") setTimeout(count);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.target.closest("details.menu[open]")) return;
    if (boxes().some((box) => box.checked)) document.getElementById("selection")?.reset();
  });
  document.addEventListener("htmx:afterSwap", count);
  window.addEventListener("pageshow", count);
  count();
})();

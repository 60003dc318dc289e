// Moving through the gallery with the keyboard: arrows and j/k walk from photo to photo.
(() => {
  "use strict";
  const links = () => Array.from(document.querySelectorAll("#timeline .tile > a"));
  const busy = (event) =>
    event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, details");

  const beside = (all, index, key) => {
    if (key === "ArrowRight" || key === "j") return index + 1;
    if (key === "ArrowLeft" || key === "k") return index - 1;
    return index;
  };

  // The nearest picture in the row above or below: the first one past this row whose middle comes closest.
  const inNextRow = (all, index, step) => {
    const here = all[index].getBoundingClientRect();
    const middle = here.left + here.width / 2;
    let best = index;
    let row = null;
    for (let i = index + step; all[i]; i += step) {
      const box = all[i].getBoundingClientRect();
      if (Math.abs(box.top - here.top) < 2) continue;
      if (row !== null && Math.abs(box.top - row) > 2) break;
      row = box.top;
      const old = all[best].getBoundingClientRect();
      const distance = Math.abs(box.left + box.width / 2 - middle);
      if (best === index || distance < Math.abs(old.left + old.width / 2 - middle)) best = i;
    }
    return best;
  };

  document.addEventListener("keydown", (event) => {
    if (busy(event)) return;
    const all = links();
    const index = all.indexOf(document.activeElement);
    let next;
    if (["j", "k"].includes(event.key) && index < 0) {
      next = all.findIndex((link) => link.getBoundingClientRect().top > 60);
    } else if (index < 0) {
      return;
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      next = inNextRow(all, index, event.key === "ArrowDown" ? 1 : -1);
    } else {
      next = beside(all, index, event.key);
    }
    if (next === index || !all[next]) return;
    event.preventDefault();
    all[next].focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
  });
})();

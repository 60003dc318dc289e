// Answering without a mouse: what has data-key is pressed by that key; a swipe over the question is y or n.
(() => {
  "use strict";
  const typing = (target) => target.closest("input:not([type=checkbox]), textarea, select") !== null;

  function press(key) {
    const found = [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find((each) => each.offsetParent);
    if (!found) return false;
    if (found.matches("input")) {
      found.focus();
      found.select();
    } else {
      found.click();
    }
    return true;
  }

  // In the capture phase: on this page "/" is for the name, not for the search box.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "Escape" && event.target.matches("[data-key]")) event.target.blur();
    if (typing(event.target) || !press(event.key)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  // Enter in the name means the name, not the first button of the form.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input[name=name]")) return;
    const button = event.target.parentElement.querySelector("button");
    if (!button) return;
    event.preventDefault();
    if (event.target.value.trim()) button.click();
  });

  // An answer taught something about the question that is on the page: ask anew, unless somebody is typing.
  document.addEventListener("settled", () => {
    const ask = document.getElementById("ask");
    if (!ask || ask.querySelector("input[name=name]")?.value) return;
    window.htmx.ajax("GET", ask.dataset.again, { target: "#ask", select: "#ask", swap: "outerHTML" });
  });

  let start = null;
  document.addEventListener("touchstart", (event) => {
    const inside = event.target.closest(".ask");
    start = inside && event.touches.length === 1 && !typing(event.target) ? event.touches[0] : null;
  }, { passive: true });
  document.addEventListener("touchend", (event) => {
    if (!start) return;
    const across = event.changedTouches[0].clientX - start.clientX;
    const down = event.changedTouches[0].clientY - start.clientY;
    start = null;
    if (Math.abs(across) > 70 && Math.abs(across) > 2 * Math.abs(down)) press(across > 0 ? "y" : "n");
  }, { passive: true });

  // A range of faces: the second one with Shift held down.
  let last = null;
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!box.matches?.(".faces-grid input[type=checkbox]")) return;
    const all = [...document.querySelectorAll(".faces-grid input[type=checkbox]")];
    if (event.shiftKey && last) {
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      all.slice(from, to + 1).forEach((each) => { each.checked = box.checked; });
    }
    last = box;
  });
})();

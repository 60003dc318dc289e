// The filters apply themselves: a change of a box searches at once, and the address and the box follow.
(() => {
  "use strict";
  const form = () => document.querySelector("#facets .facet-form");

  document.addEventListener("change", (event) => {
    const changed = event.target.closest("#facets .facet-form");
    if (!changed || !document.getElementById("results")) return;
    const query = new URLSearchParams(new FormData(changed));
    const address = `${changed.getAttribute("action")}?${query}`;
    window.htmx.ajax("GET", address, { target: "#results", swap: "outerHTML" });
  });

  // The panel comes anew with every search: what was unfolded stays so, and the keyboard stays where it was.
  let kept = null;
  const titles = (open) => Array.from(document.querySelectorAll(`#facets details${open}`));
  const title = (details) => details.closest(".facet")?.querySelector("summary, legend")?.textContent + details.className;

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.target.id !== "facets" || !form()) return;
    const { name, value } = document.activeElement?.closest("#facets") ? document.activeElement : {};
    kept = { open: new Set(titles("[open]").map(title)), name, value };
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const results = document.getElementById("results");
    const box = document.getElementById("search-box");
    // The box in the header says what is shown.
    if (results && box && event.target.closest(".search-layout") && document.activeElement !== box) box.value = results.dataset.q;
    if (event.target.id !== "facets" || !kept) return;
    titles("").forEach((details) => { details.open = details.open || kept.open.has(title(details)); });
    const same = Array.from(form()?.elements || []).find((one) => one.name && one.name === kept.name && one.value === kept.value);
    same?.focus({ preventScroll: true });
    kept = null;
  });
})();

// Runs before the first paint, so that a remembered theme never flashes the other one.
(() => {
  "use strict";
  const key = "heirloom-theme";
  const root = document.documentElement;

  const remembered = () => {
    try {
      const value = localStorage.getItem(key);
      return value === "light" || value === "dark" ? value : "";
    } catch {
      return ""; // Storage is switched off: follow the system.
    }
  };
  const shown = () =>
    root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

  if (remembered()) root.dataset.theme = remembered();

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-toggle]");
    if (!button) return;
    const theme = shown() === "dark" ? "light" : "dark";
    root.dataset.theme = theme;
    try {
      localStorage.setItem(key, theme);
    } catch {
      // The choice holds for this page only.
    }
    label(button);
  });

  const label = (button) => {
    const other = shown() === "dark" ? "light" : "dark";
    const text = button.querySelector("[data-label]");
    if (text) text.textContent = `Use ${other} colours`;
  };
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-theme-toggle]").forEach((button) => {
      button.hidden = false;
      label(button);
    });
  });
})();

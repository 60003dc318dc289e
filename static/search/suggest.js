// The search box as a combobox: what may be meant is asked for while somebody types.
// Without this file the box is a plain form.
(() => {
  "use strict";
  const PAUSE = 90;
  const box = document.getElementById("search-box");
  const form = box && box.form;
  if (!form || !form.dataset.suggest) return;

  const status = document.createElement("p");
  status.className = "visually-hidden";
  status.setAttribute("role", "status");
  form.append(status);
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-expanded", "false");
  box.setAttribute("aria-controls", "suggestions");

  let timer = 0;
  let request = null;
  let typed = "";

  const list = () => form.querySelector("#suggestions");
  const options = () => [...form.querySelectorAll("#suggestions [role=option]")];
  const active = () => form.querySelector("#suggestions [aria-selected=true]");

  const hide = () => {
    if (list()) list().remove();
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
    status.textContent = "";
  };

  const close = () => {
    window.clearTimeout(timer);
    if (request) request.abort();
    hide();
  };

  const show = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("suggestions");
    if (list()) list().remove();
    // Nothing to say about this text; the next one may be on its way.
    if (!fresh || !fresh.children.length || document.activeElement !== box) return hide();
    form.append(document.adoptNode(fresh));
    const count = options().length;
    box.setAttribute("aria-expanded", "true");
    box.removeAttribute("aria-activedescendant");
    status.textContent = count === 1 ? "1 suggestion" : `${count} suggestions`;
  };

  const ask = async () => {
    if (request) request.abort();
    request = new AbortController();
    const address = `${form.dataset.suggest}?${new URLSearchParams({ q: box.value })}`;
    try {
      const answer = await fetch(address, { signal: request.signal, redirect: "error" });
      if (answer.ok) show(await answer.text());
    } catch (error) {
      if (error.name !== "AbortError") close(); // logged out, or offline: the box still works
    }
  };

  const mark = (option) => {
    options().forEach((other) => other.setAttribute("aria-selected", String(other === option)));
    if (option) {
      box.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
      box.value = option.dataset.query;
    } else {
      box.removeAttribute("aria-activedescendant");
      box.value = typed;
    }
  };

  const choose = (option) => {
    box.value = option.dataset.query;
    if ("open" in option.dataset) {
      typed = box.value;
      box.focus();
      ask();
      return;
    }
    close();
    form.requestSubmit();
  };

  const move = (step) => {
    const all = options();
    if (!all.length) return ask();
    // One place more than there are options: what was typed.
    const at = all.indexOf(active()) + step;
    mark(at < -1 ? all[all.length - 1] : at === -1 || at === all.length ? null : all[at]);
  };

  box.addEventListener("input", () => {
    typed = box.value;
    window.clearTimeout(timer);
    timer = window.setTimeout(ask, PAUSE);
  });
  box.addEventListener("focus", () => {
    typed = box.value;
    if (!box.value) ask();
  });
  box.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape" && list()) {
      event.preventDefault();
      event.stopPropagation();
      box.value = typed;
      close();
    } else if (event.key === "Enter" && active()) {
      event.preventDefault();
      choose(active());
    } else if (event.key === "Tab") {
      close();
    }
  });
  box.addEventListener("blur", () => window.setTimeout(() => document.activeElement !== box && close(), 150));
  form.addEventListener("pointerdown", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) {
      event.preventDefault(); // the box keeps the focus
      choose(option);
    }
  });
  form.addEventListener("submit", close);
})();

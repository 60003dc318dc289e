// Searching by a picture: dropped onto the page, pasted, or chosen. Without this file it is a form with a button.
(() => {
  "use strict";
  const form = document.getElementById("by-picture");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const status = form.querySelector("[role=status]");
  const most = Number(form.dataset.most);

  const send = (file) => {
    if (file.size > most) {
      status.textContent = `This file is too large to search by: at most ${Math.floor(most / 1e6)} MB are taken.`;
      return;
    }
    if (input.files[0] !== file) {
      const carrier = new DataTransfer();
      carrier.items.add(file);
      input.files = carrier.files;
    }
    const box = document.getElementById("search-box");
    form.elements.q.value = box ? box.value : "";
    status.textContent = "Looking at the picture…";
    form.classList.add("busy");
    form.submit();
  };
  const picture = (transfer) => [...(transfer ? transfer.files : [])].find((file) => file.type.startsWith("image/") || !file.type);
  const carries = (event) => [...event.dataTransfer.types].includes("Files");

  form.querySelector("button").hidden = true;
  input.addEventListener("change", () => input.files[0] && send(input.files[0]));
  document.addEventListener("paste", (event) => {
    const file = picture(event.clipboardData);
    if (file) {
      event.preventDefault();
      send(file);
    }
  });
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    form.closest("details").open = true;
    form.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => !event.relatedTarget && form.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    form.classList.remove("over");
    const file = picture(event.dataTransfer);
    if (file) send(file);
  });
  // Back from the results the browser may show the page as it was left.
  window.addEventListener("pageshow", () => {
    form.classList.remove("busy");
    status.textContent = "";
  });
})();

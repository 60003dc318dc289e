// Searching by a picture: dropped onto the page, pasted, or chosen. Without this file it is a form with a button.
(() => {
  "use strict";
  // Results come anew with every search, and the form with them.
  const form = () => document.getElementById("by-picture");

  const say = (text) => {
    form().querySelector("[role=status]").textContent = text;
  };

  const send = (file) => {
    const input = form().elements.picture;
    const most = Number(form().dataset.most);
    form().closest("details").open = true;
    if (file.size > most) return say(`This file is too large to search by: at most ${Math.floor(most / 1e6)} MB are taken.`);
    if (input.files[0] !== file) {
      const carrier = new DataTransfer();
      carrier.items.add(file);
      input.files = carrier.files;
    }
    const box = document.getElementById("search-box");
    if (box) form().elements.q.value = box.value;
    say("Looking at the picture…");
    form().classList.add("busy");
    form().submit();
  };

  const pictureOf = (transfer) => Array.from(transfer?.files || []).find((file) => file.type.startsWith("image/") || !file.type);
  const carries = (event) => Array.from(event.dataTransfer?.types || []).includes("Files");

  document.addEventListener("change", (event) => {
    if (event.target.closest("#by-picture") && event.target.files?.[0]) send(event.target.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = pictureOf(event.clipboardData);
    if (!file || !form()) return;
    event.preventDefault();
    send(file);
  });
  document.addEventListener("dragover", (event) => {
    if (!carries(event) || !form()) return;
    event.preventDefault();
    form().closest("details").open = true;
    form().classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) form()?.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (!carries(event) || !form()) return;
    event.preventDefault();
    form().classList.remove("over");
    const file = pictureOf(event.dataTransfer);
    if (file) send(file);
    else say("This is no picture.");
  });
  // Back from the results the browser may show the page as it was left.
  window.addEventListener("pageshow", () => {
    if (!form()) return;
    form().classList.remove("busy");
    say("");
  });
})();

// Adding photos: hash, announce, send in pieces, go on after breaks. Without this script a link leads to a form.
(() => {
  "use strict";
  const box = document.getElementById("uploader");
  if (!box) return;
  const find = (name) => document.getElementById(`uploader-${name}`);
  const token = box.querySelector("[name=csrfmiddlewaretoken]").value;
  const AT_ONCE = 2;
  const LARGEST_HASHED = 256 * 1024 * 1024;
  const PATIENCE = [1000, 2000, 4000, 8000, 15000];
  const items = [];
  let running = 0;

  // --- Talking to the server -------------------------------------------------------------------------------

  // Resolves with {status, body}; rejects when nobody answers. ``item`` is told how much has been sent.
  const ask = (method, url, { body = null, headers = {}, item = null } = {}) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(method, url);
      request.setRequestHeader("X-CSRFToken", token);
      Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
      if (item) {
        item.request = request;
        request.upload.onprogress = (event) => show(item, item.offset + event.loaded);
      }
      request.onload = () => {
        let answer = {};
        try {
          answer = JSON.parse(request.responseText);
        } catch {
          answer = { error: request.status === 403 ? "Your session has ended: log in again." : "" };
        }
        resolve({ status: request.status, body: answer });
      };
      request.onerror = request.ontimeout = () => reject(new Error("no connection"));
      request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
      request.send(body);
    });

  class Refused extends Error {}
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  // --- Hashing ---------------------------------------------------------------------------------------------

  // crypto.subtle is there on secure pages only; without a hash the server compares what has arrived.
  let worker = null;
  let hashes = 0;
  let hashing = Promise.resolve();
  const waiting = new Map();

  const sha256 = (file) => {
    if (!(window.isSecureContext && window.crypto && crypto.subtle) || file.size > LARGEST_HASHED) return Promise.resolve("");
    if (!worker) {
      worker = new Worker(box.dataset.worker);
      worker.onmessage = ({ data }) => waiting.get(data.id)(data.hex || "");
      worker.onerror = () => waiting.forEach((resolve) => resolve(""));
    }
    const one = () =>
      new Promise((resolve) => {
        hashes += 1;
        const id = hashes;
        waiting.set(id, (hex) => {
          waiting.delete(id);
          resolve(hex);
        });
        worker.postMessage({ id, file });
      });
    hashing = hashing.then(one, one);
    return hashing;
  };

  // --- One file --------------------------------------------------------------------------------------------

  const send = async (item) => {
    say(item, "checking …");
    const hash = await sha256(item.file);
    if (item.cancelled) return;
    const announced = { name: item.file.name, size: item.file.size, modified: item.file.lastModified, sha256: hash };
    const headers = { "Content-Type": "application/json" };
    const begun = await persist(item, () => ask("POST", box.dataset.url, { body: JSON.stringify(announced), headers, item }));
    if (begun.known) return known(item, begun);
    item.url = begun.url;
    item.offset = begun.offset;
    if (item.cancelled) return void ask("DELETE", item.url);
    let answer = begun;
    say(item, "");
    while (!answer.finished && !answer.known) {
      show(item, item.offset);
      answer = await persist(item, () => piece(item, begun.chunk));
      if (answer.offset !== undefined) item.offset = answer.offset;
    }
    if (answer.known) return known(item, answer);
    end(item, "finished", "added; being read …");
    follow(item);
  };

  const piece = async (item, size) => {
    const body = item.file.slice(item.offset, item.offset + size);
    const headers = { "Upload-Offset": String(item.offset), "Content-Type": "application/offset+octet-stream" };
    const answer = await ask("PATCH", item.url, { body, headers, item });
    // Somebody has counted wrong, or the other end of a broken connection still holds the file: ask.
    return answer.status === 409 || answer.status === 423 ? { status: 0, body: answer.body } : answer;
  };

  // Ask until there is an answer; what is refused for a reason is not asked again.
  const persist = async (item, question) => {
    for (const delay of [...PATIENCE, null]) {
      let answer = null;
      try {
        answer = await question();
      } catch (error) {
        if (error.name === "AbortError") throw error;
      }
      if (answer && answer.status >= 200 && answer.status < 300) return answer.body;
      if (answer && answer.status >= 400 && answer.status < 500) throw new Refused(answer.body.error || `refused (${answer.status})`);
      if (answer && answer.status === 507) throw new Refused(answer.body.error);
      if (delay === null) throw new Refused((answer && answer.body.error) || "The server does not answer.");
      say(item, "waiting for the connection …");
      await pause(delay);
      if (item.cancelled) throw new DOMException("cancelled", "AbortError");
      if (item.url) await catchUp(item);
      say(item, "");
    }
    return null;
  };

  // What has arrived is for the server to say.
  const catchUp = async (item) => {
    try {
      const now = await ask("GET", item.url);
      if (now.status === 200) item.offset = now.body.offset;
    } catch {
      // Still no connection: the next round will tell.
    }
  };

  const known = (item, answer) => {
    end(item, "finished", "in the library already");
    link(item, answer.photo);
  };

  // Until the photo can be seen, or could not be read.
  const follow = async (item) => {
    for (let round = 0; round < 120; round += 1) {
      await pause(round < 10 ? 1000 : 5000);
      let now;
      try {
        now = (await ask("GET", item.url)).body;
      } catch {
        continue;
      }
      if (now.failed) return end(item, "failed", now.failed);
      if (now.photo) {
        say(item, "added");
        link(item, now.photo);
        const image = document.createElement("img");
        image.src = now.thumbnail;
        image.alt = "";
        item.row.querySelector(".thumb").replaceChildren(image);
        item.visible = true;
        return summarise();
      }
    }
    return undefined;
  };

  // --- The list --------------------------------------------------------------------------------------------

  const add = (file, unfinished = null) => {
    const row = find("item").content.firstElementChild.cloneNode(true);
    const name = file ? file.name : unfinished.name;
    const item = { file, row, name, offset: 0, state: "waiting", url: unfinished && unfinished.url };
    row.querySelector(".name").textContent = name;
    row.querySelector("progress").setAttribute("aria-label", `Progress of ${name}`);
    row.querySelector(".cancel").setAttribute("aria-label", `Remove ${name}`);
    row.querySelector(".retry").setAttribute("aria-label", `Try ${name} again`);
    row.querySelector(".cancel").addEventListener("click", () => cancel(item));
    row.querySelector(".retry").addEventListener("click", () => retry(item));
    items.push(item);
    find("list").append(row);
    find("list").hidden = false;
    say(item, "waiting");
    return item;
  };

  const say = (item, words) => {
    item.row.querySelector(".state").textContent = words;
  };

  const show = (item, sent) => {
    const percent = item.file.size ? Math.min(100, Math.floor((100 * sent) / item.file.size)) : 0;
    item.row.querySelector("progress").value = percent;
    say(item, `${percent} %`);
  };

  const link = (item, address) => {
    const anchor = document.createElement("a");
    anchor.href = address;
    anchor.textContent = item.name;
    item.row.querySelector(".name").replaceChildren(anchor);
  };

  const end = (item, state, words) => {
    item.state = state;
    item.row.className = state;
    item.row.querySelector(".retry").hidden = state !== "failed" || !item.file;
    say(item, words);
    summarise();
  };

  const cancel = (item) => {
    item.cancelled = true;
    if (item.request && item.state === "sending") item.request.abort();
    if (item.url && item.state !== "finished") ask("DELETE", item.url).catch(() => {});
    const next = item.row.nextElementSibling || item.row.previousElementSibling;
    item.row.remove();
    items.splice(items.indexOf(item), 1);
    (next ? next.querySelector(".cancel") : find("open")).focus();
    find("list").hidden = !items.length;
    summarise();
  };

  const retry = (item) => {
    item.state = "waiting";
    item.row.className = "";
    item.row.querySelector(".retry").hidden = true;
    say(item, "waiting");
    work();
  };

  const summarise = () => {
    const number = (state) => items.filter((item) => item.state === state).length;
    const left = number("waiting") + number("sending");
    const words = [];
    if (left) words.push(`${left} to go`);
    if (number("finished")) words.push(`${number("finished")} done`);
    if (number("failed")) words.push(`${number("failed")} could not be added`);
    find("summary").textContent = words.join(" · ");
    find("clear").hidden = Boolean(left) || !items.length;
    if (!left && items.some((item) => item.visible)) {
      const again = document.createElement("a");
      again.href = location.pathname;
      again.textContent = "Show them in the timeline";
      find("summary").append(" · ", again);
    }
  };

  const work = () => {
    while (running < AT_ONCE) {
      const item = items.find((one) => one.state === "waiting" && one.file);
      if (!item) break;
      item.state = "sending";
      running += 1;
      send(item)
        .catch((error) => {
          if (error.name !== "AbortError") end(item, "failed", error.message);
        })
        .finally(() => {
          running -= 1;
          work();
        });
    }
    summarise();
  };

  const take = (files) => {
    for (const file of files) {
      const begun = items.find((item) => item.state === "unfinished" && item.size === file.size);
      if (begun) {
        begun.row.remove();
        items.splice(items.indexOf(begun), 1);
      }
      add(file);
    }
    work();
  };

  // --- Doors -----------------------------------------------------------------------------------------------

  // The link to the form becomes a button.
  const button = document.createElement("button");
  button.type = "button";
  button.id = "uploader-open";
  button.className = "button";
  button.append(...find("open").childNodes);
  find("open").replaceWith(button);
  button.addEventListener("click", () => find("files").click());
  find("files").addEventListener("change", () => {
    take(Array.from(find("files").files));
    find("files").value = "";
  });
  find("clear").addEventListener("click", () => {
    items.splice(0).forEach((item) => item.row.remove());
    find("list").hidden = true;
    summarise();
    find("open").focus();
  });

  let inside = 0;
  const brings = (event) => event.dataTransfer && Array.from(event.dataTransfer.types).includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!brings(event)) return;
    inside += 1;
    find("drop").hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!brings(event)) return;
    inside -= 1;
    find("drop").hidden = inside > 0 ? find("drop").hidden : true;
  });
  document.addEventListener("dragover", (event) => {
    if (brings(event)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    inside = 0;
    find("drop").hidden = true;
    take(Array.from(event.dataTransfer.files));
  });

  // What was broken off earlier, perhaps by closing this page: the file has to be chosen again.
  ask("GET", box.dataset.url)
    .then(({ body }) => {
      (body.uploads || []).forEach((upload) => {
        const item = add(null, upload);
        item.state = "unfinished";
        item.size = upload.size;
        item.row.querySelector("progress").value = Math.floor((100 * upload.offset) / upload.size);
        say(item, "broken off: choose the file again to go on");
      });
    })
    .catch(() => {});
})();

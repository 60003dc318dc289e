// SHA-256 of a file, beside the page. crypto.subtle takes a whole file at once, so they come one by one.
"use strict";
self.addEventListener("message", async (event) => {
  const { id, file } = event.data;
  try {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
    self.postMessage({ id, hex });
  } catch (error) {
    self.postMessage({ id, error: String(error) });
  }
});

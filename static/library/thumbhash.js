// Blurred placeholders: decodes ThumbHash (https://evanw.github.io/thumbhash/) onto a small canvas that lies
// behind the picture until it has loaded. Works for every img[data-thumbhash], also those that come later.
(() => {
  "use strict";
  const EDGE = 32;
  const SATURATION = 1.25;

  // The header of the format, bit by bit; L, P, Q and A are lightness, yellow-blue, red-green and opacity.
  const readHeader = (bytes) => {
    const first = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
    const second = bytes[3] | (bytes[4] << 8);
    const hasAlpha = first >> 23 !== 0;
    const isLandscape = second >> 15 !== 0;
    const long = hasAlpha ? 5 : 7;
    const short = second & 7;
    return {
      hasAlpha,
      l: { mean: (first & 63) / 63, scale: ((first >> 18) & 31) / 31 },
      p: { mean: ((first >> 6) & 63) / 31.5 - 1, scale: ((second >> 3) & 63) / 63 },
      q: { mean: ((first >> 12) & 63) / 31.5 - 1, scale: ((second >> 9) & 63) / 63 },
      across: Math.max(3, isLandscape ? long : short),
      down: Math.max(3, isLandscape ? short : long),
    };
  };

  // Coefficients are four bits each, in triangular order, without the constant term.
  const readTerms = (bytes, state, across, down, scale) => {
    const terms = [];
    for (let v = 0; v < down; v++) {
      for (let u = v ? 0 : 1; u * down < across * (down - v); u++) {
        const byte = bytes[state.start + (state.index >> 1)];
        const nibble = (byte >> ((state.index & 1) << 2)) & 15;
        state.index += 1;
        terms.push({ u, v, value: (nibble / 7.5 - 1) * scale });
      }
    }
    return terms;
  };

  const cosines = (size, count) =>
    Array.from({ length: size }, (_, position) =>
      Array.from({ length: count }, (_, term) => Math.cos((Math.PI / size) * (position + 0.5) * term)),
    );

  const sum = (mean, terms, fx, fy) => {
    let value = mean;
    for (const { u, v, value: factor } of terms) value += factor * fx[u] * fy[v] * 2;
    return value;
  };

  const decode = (bytes, width, height) => {
    const header = readHeader(bytes);
    const state = { start: header.hasAlpha ? 6 : 5, index: 0 };
    const alpha = header.hasAlpha ? { mean: (bytes[5] & 15) / 15, scale: (bytes[5] >> 4) / 15 } : null;
    const l = readTerms(bytes, state, header.across, header.down, header.l.scale);
    const p = readTerms(bytes, state, 3, 3, header.p.scale * SATURATION);
    const q = readTerms(bytes, state, 3, 3, header.q.scale * SATURATION);
    const a = alpha ? readTerms(bytes, state, 5, 5, alpha.scale) : [];
    const fx = cosines(width, 7);
    const fy = cosines(height, 7);
    const pixels = new Uint8ClampedArray(width * height * 4);
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i += 4) {
        const light = sum(header.l.mean, l, fx[x], fy[y]);
        const yellow = sum(header.p.mean, p, fx[x], fy[y]);
        const redness = sum(header.q.mean, q, fx[x], fy[y]);
        const blue = light - (2 / 3) * yellow;
        const red = (3 * light - blue + redness) / 2;
        pixels[i] = 255 * red;
        pixels[i + 1] = 255 * (red - redness);
        pixels[i + 2] = 255 * blue;
        pixels[i + 3] = alpha ? 255 * sum(alpha.mean, a, fx[x], fy[y]) : 255;
      }
    }
    return pixels;
  };

  const bytesOf = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

  const sizeOf = (img) => {
    const ratio = Math.min(Math.max(img.width / img.height || 1, 0.25), 4);
    return ratio > 1 ? [EDGE, Math.round(EDGE / ratio)] : [Math.round(EDGE * ratio), EDGE];
  };

  const draw = (img) => {
    const bytes = bytesOf(img.dataset.thumbhash);
    if (bytes.length < 5) return;
    const [width, height] = sizeOf(img);
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.setAttribute("aria-hidden", "true");
    canvas.getContext("2d").putImageData(new ImageData(decode(bytes, width, height), width, height), 0, 0);
    img.before(canvas);
    img.classList.add("waiting");
    const settle = () => {
      img.classList.remove("waiting");
      setTimeout(() => canvas.remove(), 400);
    };
    img.addEventListener("load", settle, { once: true });
    // A thumbnail that is not there leaves its placeholder, with the words of its alt text on top.
    img.addEventListener("error", () => img.classList.remove("waiting"), { once: true });
  };

  const prepare = (root) => {
    root.querySelectorAll("img[data-thumbhash]").forEach((img) => {
      if (!img.complete || img.naturalWidth === 0) draw(img);
      img.removeAttribute("data-thumbhash");
    });
  };

  window.heirloom = Object.assign(window.heirloom || {}, { decodeThumbhash: decode });
  prepare(document);
  new MutationObserver((changes) => {
    for (const change of changes) {
      change.addedNodes.forEach((node) => node instanceof Element && prepare(node));
    }
  }).observe(document.body, { childList: true, subtree: true });
})();

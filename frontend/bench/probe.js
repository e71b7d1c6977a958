// Runs in the page, before anything of it: finds the player's <video> and notes
// of every presented frame when it was shown and when it was made.
//
// A frame of the clock source carries a grid of 16 by 4 black and white cells:
// 32 bits of Unix milliseconds, 16 bits of frame number and a CRC of both.
(() => {
  const columns = 16;
  const rows = 4;
  const source = { left: 64 / 640, top: 224 / 360, width: 512 / 640, height: 128 / 360 };
  const scale = 4; // pixels of the canvas to a cell

  const frames = [];
  window.benchFrames = frames;

  const canvas = document.createElement("canvas");
  canvas.width = columns * scale;
  canvas.height = rows * scale;
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });

  function readCode(video) {
    const { videoWidth: w, videoHeight: h } = video;
    context.drawImage(
      video,
      source.left * w,
      source.top * h,
      source.width * w,
      source.height * h,
      0,
      0,
      canvas.width,
      canvas.height,
    );
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const bits = [];
    for (let i = 0; i < columns * rows; i++) {
      const x = (i % columns) * scale + scale / 2;
      const y = Math.floor(i / columns) * scale + scale / 2;
      bits.push(data[(y * canvas.width + x) * 4 + 1] > 128 ? 1 : 0);
    }
    let crc = 0xffff;
    for (const bit of bits.slice(0, 48)) {
      const top = (crc >> 15) ^ bit;
      crc = ((crc << 1) & 0xffff) ^ (top ? 0x1021 : 0);
    }
    const number = (from, to) => bits.slice(from, to).reduce((n, bit) => n * 2 + bit, 0);
    return number(48, 64) === crc ? { made: number(0, 32), number: number(32, 48) } : undefined;
  }

  const wrap = 2 ** 32;
  const wall = (now) => performance.timeOrigin + now;
  const age = (at, made) => {
    const d = ((((at % wrap) - made) % wrap) + wrap) % wrap;
    return d > wrap / 2 ? d - wrap : d;
  };

  function watch(video) {
    const onFrame = (_, metadata) => {
      video.requestVideoFrameCallback(onFrame);
      const now = performance.now();
      const code = readCode(video);
      frames.push({
        at: now,
        presented: metadata.presentationTime,
        count: metadata.presentedFrames,
        media: metadata.mediaTime,
        number: code?.number,
        latency: code && age(wall(now), code.made),
      });
    };
    video.requestVideoFrameCallback(onFrame);
  }

  function find(root) {
    for (const element of root.querySelectorAll("*")) {
      if (element.localName === "video") return element;
      const inner = element.shadowRoot && find(element.shadowRoot);
      if (inner) return inner;
    }
    return undefined;
  }

  const seen = new WeakSet();
  function look() {
    const video = find(document);
    if (video && !seen.has(video)) {
      seen.add(video);
      watch(video);
    }
    requestAnimationFrame(look);
  }
  look();
})();

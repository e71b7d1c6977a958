// Runs in a page that publishes, before anything of it: its camera shows the clock
// of benchclock, and its microphone hums.
//
// Pictures are drawn in a worker, which nothing of the page holds up, and carry the
// code that probe.js reads.
(() => {
  const width = 640;
  const height = 360;
  const frameRate = 30;

  /** The worker's whole program. */
  function draw(width, height, frameRate) {
    const columns = 16;
    const cell = 32;
    const left = 64;
    const top = 224;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    const shade = context.createLinearGradient(0, 0, width, height);
    shade.addColorStop(0, "#2a3038");
    shade.addColorStop(1, "#7a7068");

    function bitsOf(made, number) {
      const bits = [];
      for (let i = 31; i >= 0; i--) bits.push(Math.floor(made / 2 ** i) % 2);
      for (let i = 15; i >= 0; i--) bits.push((number >> i) & 1);
      let crc = 0xffff;
      for (const bit of bits) {
        const carry = (crc >> 15) ^ bit;
        crc = ((crc << 1) & 0xffff) ^ (carry ? 0x1021 : 0);
      }
      for (let i = 15; i >= 0; i--) bits.push((crc >> i) & 1);
      return bits;
    }

    function picture(number) {
      context.fillStyle = shade;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "#ccc";
      context.fillRect(((number * width) / (2 * frameRate)) % width, 8, 24, 48);
      bitsOf(Date.now() % 2 ** 32, number % 2 ** 16).forEach((bit, i) => {
        context.fillStyle = bit ? "#fff" : "#000";
        context.fillRect(left + (i % columns) * cell, top + Math.floor(i / columns) * cell, cell, cell);
      });
      return new VideoFrame(canvas, { timestamp: Math.round(performance.now() * 1000) });
    }

    self.onmessage = ({ data: writable }) => {
      const writer = writable.getWriter();
      const begun = performance.now();
      let number = 0;
      const next = () => {
        const frame = picture(number);
        // As a camera: who is not ready misses the picture.
        if (writer.desiredSize > 0) writer.write(frame).catch(() => {});
        else frame.close();
        number = Math.max(number + 1, Math.ceil(((performance.now() - begun) * frameRate) / 1000));
        setTimeout(next, begun + (number * 1000) / frameRate - performance.now());
      };
      next();
    };
  }

  function camera() {
    const track = new MediaStreamTrackGenerator({ kind: "video" });
    const program = `(${draw})(${width}, ${height}, ${frameRate})`;
    const worker = new Worker(URL.createObjectURL(new Blob([program], { type: "text/javascript" })));
    worker.postMessage(track.writable, [track.writable]);
    return track;
  }

  function microphone() {
    const context = new AudioContext({ latencyHint: "interactive" });
    const hum = new OscillatorNode(context, { frequency: 220 });
    const quiet = new GainNode(context, { gain: 0.05 });
    const out = context.createMediaStreamDestination();
    hum.connect(quiet).connect(out);
    hum.start();
    return out.stream.getAudioTracks()[0];
  }

  navigator.mediaDevices.getUserMedia = async ({ video, audio }) =>
    new MediaStream([...(video ? [camera()] : []), ...(audio ? [microphone()] : [])]);
})();

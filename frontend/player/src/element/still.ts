/** Keeps the last picture on screen while the video element is given another source. */
export class Still {
  readonly #video: HTMLVideoElement;
  #canvas: HTMLCanvasElement | undefined;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
  }

  show(): void {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (this.#canvas || this.#video.readyState < 2 || width === 0) return;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.setAttribute("aria-hidden", "true");
    canvas.getContext("2d")?.drawImage(this.#video, 0, 0, width, height);
    this.#video.after(canvas);
    this.#canvas = canvas;
  }

  hide(): void {
    this.#canvas?.remove();
    this.#canvas = undefined;
  }
}

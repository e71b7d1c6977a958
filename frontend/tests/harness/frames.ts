/** One WebSocket message. */
export interface SocketMessage {
  readonly binary: boolean;
  readonly data: Buffer;
}

const opcode = { continuation: 0, text: 1, binary: 2 };
const headEnd = Buffer.from("\r\n\r\n");

/** Reads one direction of a WebSocket connection from its bytes, HTTP head included; no extension is expected (RFC 6455 5.2). */
export class FrameReader {
  readonly #message: (message: SocketMessage) => void;
  #bytes: Buffer = Buffer.alloc(0);
  #head = true;
  #parts: Buffer[] = [];
  #binary = false;

  constructor(message: (message: SocketMessage) => void) {
    this.#message = message;
  }

  push(bytes: Buffer): void {
    this.#bytes = this.#bytes.length > 0 ? Buffer.concat([this.#bytes, bytes]) : bytes;
    if (this.#head) {
      const end = this.#bytes.indexOf(headEnd);
      if (end < 0) return;
      this.#head = false;
      this.#bytes = this.#bytes.subarray(end + headEnd.length);
    }
    while (this.#frame());
  }

  /** Takes one frame off the front; false if there is none whole. */
  #frame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const [first, second] = [bytes.readUInt8(0), bytes.readUInt8(1)];
    const short = second & 127;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const masked = (second & 128) !== 0;
    const start = 2 + lengthBytes + (masked ? 4 : 0);
    if (bytes.length < start) return false;
    const length = lengthBytes === 2 ? bytes.readUInt16BE(2) : lengthBytes ? Number(bytes.readBigUInt64BE(2)) : short;
    if (bytes.length < start + length) return false;
    const data = Buffer.from(bytes.subarray(start, start + length));
    if (masked) for (let i = 0; i < length; i++) data[i] = (data[i] ?? 0) ^ (bytes[start - 4 + (i & 3)] ?? 0);
    this.#bytes = bytes.subarray(start + length);
    this.#take(first & 15, (first & 128) !== 0, data);
    return true;
  }

  #take(code: number, final: boolean, data: Buffer): void {
    if (code > opcode.binary) return; // ping, pong, close
    if (code !== opcode.continuation) this.#binary = code === opcode.binary;
    this.#parts.push(data);
    if (!final) return;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#message({ binary: this.#binary, data: whole });
  }
}

import { readFileSync, writeFileSync } from "node:fs";
import { type Encoding, encodings, picture, type Temporary } from "./ffmpeg.ts";

/** What a source gives. */
export interface Picture {
  readonly encoding: Encoding;
  readonly size?: string;
  readonly rate?: number;
}

/**
 * A source for exec: that is told what to give through a file. It holds when
 * it is started again: by the server when it was killed, or by the operator.
 */
export class Source {
  readonly #path: (name: string) => string;

  constructor(folder: Temporary, name: string) {
    this.#path = (file) => folder.path(`${name}.${file}`);
    // The process that the server runs becomes ffmpeg itself.
    const script = `echo $$ > '${this.#path("pid")}'\nexec $(cat '${this.#path("args")}')\n`;
    writeFileSync(this.#path("sh"), script);
  }

  /** The source for --source. */
  get url(): string {
    return `exec:sh ${this.#path("sh")}`;
  }

  /** Has it give this from its next start on. */
  give({ encoding, size = "320x180", rate = 25 }: Picture): void {
    // AV1's parameters are known when its first picture is encoded, so the head has to wait for it.
    const muxer = "-f mp4 -movflags frag_every_frame+delay_moov+default_base_moof -flush_packets 1 -";
    const args = `ffmpeg -v error -re ${picture(size, rate).join(" ")} ${encodings[encoding]} ${muxer}`;
    writeFileSync(this.#path("args"), args.replace("-f lavfi -i sine", "-re -f lavfi -i sine"));
  }

  /** Has it fail from its next start on. */
  fail(): void {
    writeFileSync(this.#path("args"), "false");
  }

  /** Kills it, as a crash would. */
  kill(): void {
    process.kill(Number(readFileSync(this.#path("pid"), "utf8")), "SIGKILL");
  }
}

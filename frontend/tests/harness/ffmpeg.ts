import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const missing = "it is needed for this test: install ffmpeg";

/** Runs ffmpeg or ffprobe; resolves with what it prints, and rejects with what it complains of. */
export async function ffmpeg(program: "ffmpeg" | "ffprobe", args: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await run(program, ["-v", "error", ...args], { maxBuffer: 64 << 20 });
    if (stderr) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
    return stdout;
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw absent ? new Error(`${program} is not there; ${missing}`) : error;
  }
}

/** What ffprobe says of a stream. */
export interface Probed {
  readonly codec_type: string;
  readonly codec_name: string;
  readonly width?: number;
  readonly height?: number;
  readonly has_b_frames?: number;
}

export async function probe(input: string): Promise<Probed[]> {
  const printed = await ffmpeg("ffprobe", ["-show_streams", "-of", "json", input]);
  return (JSON.parse(printed) as { streams: Probed[] }).streams;
}

/** A folder for files of tests, gone when remove is called. */
export interface Temporary {
  path(name: string): string;
  remove(): void;
}

export function temporary(): Temporary {
  const folder = mkdtempSync(join(tmpdir(), "framewire-tests-"));
  return {
    path: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25";

/** Encoders, by the name that tests give the result. */
export const encodings = {
  h264: `${h264} -tune zerolatency -c:a aac`,
  silent: `${h264} -tune zerolatency -an`,
  bframes: "-c:v libx264 -preset veryfast -bf 3 -pix_fmt yuv420p -g 25 -c:a aac",
  h265: "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=25 -tag:v hvc1 -pix_fmt yuv420p -c:a aac",
  vp9: "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -pix_fmt yuv420p -c:a libopus",
  av1: "-c:v libaom-av1 -usage realtime -cpu-used 8 -g 25 -pix_fmt yuv420p -c:a libopus",
} as const;

export type Encoding = keyof typeof encodings;

/** Input arguments of a moving picture with a tone. */
export function picture(size = "320x180", rate = 25): string[] {
  const video = `testsrc2=size=${size}:rate=${rate}`;
  return ["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"];
}

/** Makes an MP4 file of some seconds. */
export async function clip(path: string, encoding: Encoding, seconds = 3): Promise<void> {
  const codec = encodings[encoding].split(" ");
  await ffmpeg("ffmpeg", ["-y", ...picture(), "-t", String(seconds), ...codec, "-f", "mp4", path]);
}

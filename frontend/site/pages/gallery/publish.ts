// How to put video on this server. Every way is an entry of WAYS; a new one
// needs nothing but its steps.

import { snippet } from "../../lib/copy.ts";
import { h, type IconName, icon } from "../../lib/dom.ts";
import { tabs } from "../../lib/tabs.ts";

/** Where this server is, for commands that are right when they are copied. */
export interface Host {
  /** As in the address bar, with the port where it has one. */
  readonly host: string;
  /** What `framewire serve --listen` takes to listen there again. */
  readonly listen: string;
  readonly origin: string;
}

interface Step {
  readonly text: string;
  /** A command to copy. */
  readonly command?: string;
  /** A page of this server to go to. */
  readonly link?: string;
}

interface Way {
  readonly id: string;
  readonly title: string;
  readonly icon: IconName;
  readonly steps: (host: Host) => readonly Step[];
  /** What else is good to know. */
  readonly note: string;
}

/** Where the server listens unless it is told otherwise. */
const DEFAULT_LISTEN = ":8080";
/** A command longer than this is broken into lines. */
const LINE_LENGTH = 72;

/** The command that starts this server with a source; the shell sees the source as it is given. */
function serve({ listen }: Host, source: string): string {
  const words = ["framewire serve", ...(listen === DEFAULT_LISTEN ? [] : [`--listen ${listen}`]), `--source ${source}`];
  const line = words.join(" ");
  return line.length <= LINE_LENGTH ? line : words.join(" \\\n  ");
}

const WAYS: readonly Way[] = [
  {
    id: "file",
    title: "A file",
    icon: "film",
    steps: (host) => [
      {
        text: "Start the server with the file as a source. It plays in real time and begins again at its end.",
        command: serve(host, "film=holiday.mp4"),
      },
      { text: "Watch it:", link: `${host.origin}/watch/film` },
    ],
    note: "MP4 and MOV are read without help. Any other container or codec goes through ffmpeg, which has to be installed on the server.",
  },
  {
    id: "camera",
    title: "An RTSP camera",
    icon: "camera",
    steps: (host) => [
      {
        text: "Start the server with the camera's address. Its picture is passed on as it is where browsers can play it, and converted where not.",
        command: serve(host, "'cam=rtsp://user:password@192.168.1.20:554/stream1'"),
      },
      { text: "Watch it:", link: `${host.origin}/watch/cam` },
    ],
    note: "Needs ffmpeg on the server. rtmp://, srt://, http:// and https:// addresses work in the same way. A camera that goes away is tried again until it is back; viewers stay where they are.",
  },
  {
    id: "ffmpeg",
    title: "ffmpeg",
    icon: "terminal",
    steps: (host) => [
      {
        text: "Whatever ffmpeg can read: write its input arguments after ffmpeg:. This is a webcam on Linux.",
        command: serve(host, "'webcam=ffmpeg:-f v4l2 -framerate 30 -i /dev/video0'"),
      },
      {
        text: "Or let a command of yours write the video to its standard output; fragmented MP4 and MPEG-TS are taken as they come. This is a test picture with a tone.",
        command: serve(
          host,
          "'test=exec:ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 60 -c:a aac -f mpegts -'",
        ),
      },
      { text: "Watch it:", link: `${host.origin}/watch/test` },
    ],
    note: "Sources are named by whoever starts the server, never by a visitor.",
  },
];

/** Fills the container with the ways to publish to this server. */
export function showPublishHelp(container: HTMLElement, host: Host): void {
  tabs(
    container,
    "Ways to publish",
    WAYS.map((way) => ({ id: way.id, label: [icon(way.icon), way.title], panel: () => panelOf(way, host) })),
  );
}

/** The host of the page that is shown. */
export function hostOf({ host, port, protocol, origin }: Location): Host {
  return { host, origin, listen: `:${port || (protocol === "https:" ? "443" : "80")}` };
}

function panelOf(way: Way, host: Host): HTMLElement {
  const steps = way
    .steps(host)
    .map((step) =>
      h(
        "li",
        {},
        h(
          "p",
          {},
          step.text,
          step.link ? " " : undefined,
          step.link ? h("a", { href: step.link }, step.link) : undefined,
        ),
        step.command ? snippet(step.command, `the command for ${way.title}`).element : undefined,
      ),
    );
  return h("div", {}, h("ol", { class: "publish-steps" }, ...steps), h("p", { class: "publish-note" }, way.note));
}

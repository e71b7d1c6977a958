// How to put video on this server. Every way is an entry of WAYS; a new one
// needs nothing but its steps.

import { snippet } from "../../lib/copy.ts";
import { h, type IconName, icon } from "../../lib/dom.ts";
import { tabs } from "../../lib/tabs.ts";

/** Where this server is, for commands that are right when they are copied. */
export interface Host {
  /** What `framewire serve --listen` takes to listen there again. */
  readonly listen: string;
  readonly origin: string;
  /** Where RTMP publishers send to, undefined where the server takes none. */
  readonly rtmp: string | undefined;
  /** Whether it takes WebRTC. */
  readonly whip: boolean;
  readonly key: Key;
}

/** Whether publishers need a key: nobody does, all do, or nobody may publish at all. */
type Key = "none" | "needed" | "closed";

/** What the server says of how one can publish. */
export interface Offer {
  /** Ports, 0 for none. */
  readonly rtmp: number;
  readonly rtmps: number;
  readonly whip: boolean;
  readonly key: Key;
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
  /** None where the server does not take it. */
  readonly steps: (host: Host) => readonly Step[];
  /** What else is good to know. */
  readonly note: string | ((host: Host) => string);
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

/** What holds for everything that is sent to the server. how says where the key goes. */
function keyNote({ key }: Host, how: string): string {
  switch (key) {
    case "none":
      return "This server lets everybody who reaches it publish. --publish-key SECRET has it ask for a stream key.";
    case "needed":
      return `This server asks for a stream key: ${how}`;
    case "closed":
      return "This server lets nobody publish now: other machines reach it, and it has no stream key. Start it with --publish-key SECRET.";
    default:
      return key satisfies never;
  }
}

/** The name of a stream with the key behind it, where one is needed. */
const named = (name: string, { key }: Host) => (key === "needed" ? `${name}?key=SECRET` : name);

/** An address for a shell, which would take a question mark for its own. */
const quoted = (address: string) => (address.includes("?") ? `'${address}'` : address);

const TEST_SOURCE =
  "-re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 \\\n  -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 60 -c:a aac";

const WAYS: readonly Way[] = [
  {
    id: "browser",
    title: "This browser",
    icon: "eye",
    steps: (host) => [
      { text: "Go live with camera, microphone or screen:", link: `${host.origin}/studio` },
      { text: "Watch it:", link: `${host.origin}/watch/studio` },
    ],
    note: (host) =>
      `Browsers hand out cameras only to pages that come over HTTPS or from the same machine. ${keyNote(host, "it goes into the field for it.")}`,
  },
  {
    id: "obs",
    title: "OBS",
    icon: "broadcast",
    steps: (host) =>
      host.rtmp === undefined
        ? []
        : [
            { text: "In Settings, Stream, choose the service Custom and this server:", command: host.rtmp },
            { text: "The stream key is the name that the stream is to have:", command: named("studio", host) },
            {
              text: "For low latency, in Settings, Output, set the keyframe interval to 1 s and, with x264, the tune to zerolatency. Start streaming, and watch it:",
              link: `${host.origin}/watch/studio`,
            },
            ...(host.whip
              ? [
                  {
                    text: "OBS 30 and later also publish over WebRTC, with less delay: choose the service WHIP, this server, and the stream key as bearer token.",
                    command: `${host.origin}/whip/studio`,
                  },
                ]
              : []),
          ],
    note: (host) => keyNote(host, "put it in place of SECRET."),
  },
  {
    id: "ffmpeg",
    title: "ffmpeg",
    icon: "terminal",
    steps: (host) => [
      ...(host.rtmp === undefined
        ? []
        : [
            {
              text: "From any machine, send what ffmpeg can read over RTMP. This is a test picture with a tone.",
              command: `ffmpeg ${TEST_SOURCE} \\\n  -f flv ${quoted(`${host.rtmp}/${named("test", host)}`)}`,
            },
            {
              text: "A file that holds H.264 and AAC already needs no encoding:",
              command: `ffmpeg -re -i holiday.mp4 -c copy -f flv ${quoted(`${host.rtmp}/${named("holiday", host)}`)}`,
            },
          ]),
      {
        text: "Or over HTTP, which passes every proxy, in MPEG-TS, Matroska, WebM, FLV or fragmented MP4:",
        command: `ffmpeg ${TEST_SOURCE} \\\n  -f mpegts -pes_payload_size 0 ${quoted(`${host.origin}/publish/${named("test", host)}`)}`,
      },
      { text: "Watch it:", link: `${host.origin}/watch/test` },
    ],
    note: (host) => keyNote(host, "put it in place of SECRET."),
  },
  {
    id: "gstreamer",
    title: "GStreamer",
    icon: "terminal",
    steps: (host) =>
      host.rtmp === undefined
        ? []
        : [
            {
              text: "A test picture with a tone, over RTMP:",
              command: `gst-launch-1.0 videotestsrc is-live=true ! video/x-raw,width=1280,height=720,framerate=30/1 \\\n  ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=2500 \\\n  ! video/x-h264,profile=baseline ! h264parse ! flvmux name=mux streamable=true \\\n  ! rtmp2sink location=${quoted(`${host.rtmp}/${named("test", host)}`)} \\\n  audiotestsrc is-live=true ! audioconvert ! avenc_aac ! aacparse ! mux.`,
            },
            { text: "Watch it:", link: `${host.origin}/watch/test` },
          ],
    note: (host) => keyNote(host, "put it in place of SECRET."),
  },
  {
    id: "framewire",
    title: "Framewire",
    icon: "pulse",
    steps: (host) => [
      {
        text: "From any machine that has the framewire program, send what a server could serve: a file, a camera, a screen, what another command writes.",
        command: `framewire publish --url ${host.origin} --stream relay holiday.mp4`,
      },
      {
        text: "Or what comes from standard input:",
        command: `ffmpeg -re -i holiday.mkv -c copy -f mpegts - | framewire publish --url ${host.origin} --stream relay -`,
      },
      { text: "Watch it:", link: `${host.origin}/watch/relay` },
    ],
    note: (host) =>
      `${keyNote(host, "--key SECRET, or better FRAMEWIRE_KEY in the environment.")} The connection is made anew when it breaks; viewers stay where they are.`,
  },
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
    id: "command",
    title: "A command",
    icon: "code",
    steps: (host) => [
      {
        text: "Let the server run ffmpeg itself: write its input arguments after ffmpeg:. This is a webcam on Linux.",
        command: serve(host, "'webcam=ffmpeg:-f v4l2 -framerate 30 -i /dev/video0'"),
      },
      {
        text: "Or let it run a command of yours that writes video to its standard output; fragmented MP4 and MPEG-TS are taken as they come.",
        command: serve(host, "'mine=exec:/usr/local/bin/my-encoder --low-latency'"),
      },
      { text: "Watch it:", link: `${host.origin}/watch/webcam` },
    ],
    note: "It is started again when it ends. Sources are named by whoever starts the server, never by a visitor.",
  },
];

/** Fills the container with the ways to publish to this server. */
export function showPublishHelp(container: HTMLElement, host: Host): void {
  tabs(
    container,
    "Ways to publish",
    WAYS.filter((way) => way.steps(host).length > 0).map((way) => ({
      id: way.id,
      label: [icon(way.icon), way.title],
      panel: () => panelOf(way, host),
    })),
  );
}

/** What holds where the server does not say. */
const USUAL: Offer = { rtmp: 1935, rtmps: 0, whip: false, key: "none" };

/** Asks the server how one can publish. */
export async function askOffer(): Promise<Offer> {
  try {
    const response = await fetch("/publish");
    return response.ok ? ((await response.json()) as Offer) : USUAL;
  } catch {
    return USUAL; // the page tells that the server is away in its own place
  }
}

/** The host of the page that is shown. */
export function hostOf({ hostname, port, protocol, origin }: Location, { rtmp, rtmps, whip, key }: Offer): Host {
  const to = (scheme: string, port: number, usual: number) =>
    `${scheme}://${hostname}${port === usual ? "" : `:${port}`}/live`;
  return {
    origin,
    listen: `:${port || (protocol === "https:" ? "443" : "80")}`,
    // The one that nobody can read on the way goes first.
    rtmp: rtmps ? to("rtmps", rtmps, 443) : rtmp ? to("rtmp", rtmp, 1935) : undefined,
    whip,
    key,
  };
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
  return h(
    "div",
    {},
    h("ol", { class: "publish-steps" }, ...steps),
    h("p", { class: "publish-note" }, typeof way.note === "string" ? way.note : way.note(host)),
  );
}

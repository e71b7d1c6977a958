// Events of the server as lines to read.

import type { Event as ServerEvent } from "@framewire/schema/admin";
import { StreamStatus } from "@framewire/schema/media";
import { GoodbyeReason } from "@framewire/schema/session";
import { formatElapsed, formatMs } from "./figures.ts";
import { gapWord, goodbyeWord } from "./words.ts";

/** The kinds that the log can be narrowed to. */
export const TOPICS = {
  viewers: "Viewers",
  streams: "Streams",
  publishers: "Publishers",
  refusals: "Refusals",
  operators: "Operators",
} as const;
export type Topic = keyof typeof TOPICS;

export interface Line {
  readonly topic: Topic;
  readonly text: string;
  /** How it should strike the eye. */
  readonly tone: "plain" | "good" | "warn";
}

/** Returns the line of an event, or undefined for one that this page does not know yet. */
export function lineOf({ body }: ServerEvent): Line | undefined {
  switch (body.case) {
    case "sessionOpened": {
      const { client, remote } = body.value;
      return { topic: "viewers", tone: "plain", text: `Viewer came: ${client || "unnamed client"} from ${remote}` };
    }
    case "sessionClosed": {
      const { reason, durationMs } = body.value;
      const tone = reason === GoodbyeReason.CLIENT_LEFT ? "plain" : "warn";
      return {
        topic: "viewers",
        tone,
        text: `Viewer ${goodbyeWord(reason)}, after ${formatElapsed(Number(durationMs))}`,
      };
    }
    case "gap": {
      const { reason, fromSeconds, toSeconds } = body.value;
      const missed = formatMs(Math.max(0, toSeconds - fromSeconds) * 1000);
      return { topic: "viewers", tone: "warn", text: `Viewer missed ${missed}: ${gapWord(reason)}` };
    }
    case "streamStatusChanged":
      return statusLine(body.value.status, body.value.message);
    case "publisherOpened":
      return {
        ...{ topic: "publishers", tone: "good" },
        text: `Publisher came by ${body.value.protocol.toUpperCase()} from ${body.value.remote}`,
      };
    case "publisherClosed": {
      const { reason } = body.value;
      return { topic: "publishers", tone: reason ? "warn" : "plain", text: `Publisher left${reason && `: ${reason}`}` };
    }
    case "refused": {
      const { what, reason, remote } = body.value;
      return { topic: "refusals", tone: "warn", text: `Refused (${what}) ${remote}: ${reason}` };
    }
    case "configurationRead": {
      const { error, takesRestart } = body.value;
      if (!error && takesRestart.length > 0) {
        const text = `The configuration was read again; a restart is needed for: ${takesRestart.join("; ")}`;
        return { topic: "operators", tone: "warn", text };
      }
      if (!error) return { topic: "operators", tone: "good", text: "The configuration was read again" };
      return {
        topic: "operators",
        tone: "warn",
        text: `The configuration was refused, the one before stays: ${error}`,
      };
    }
    case "operatorActed": {
      const { method, subject, remote } = body.value;
      return { topic: "operators", tone: "plain", text: `${method} by ${subject || "an operator"} from ${remote}` };
    }
    case undefined:
      return undefined;
    default:
      body satisfies never;
      return undefined;
  }
}

function statusLine(status: StreamStatus, message: string): Line {
  const rest = message && `: ${message}`;
  const topic = "streams";
  switch (status) {
    case StreamStatus.LIVE:
      return { topic, tone: "good", text: `Live${rest}` };
    case StreamStatus.STARTING:
      return { topic, tone: message ? "warn" : "plain", text: `Starting${rest}` };
    case StreamStatus.OFFLINE:
      return { topic, tone: message ? "warn" : "plain", text: `Offline${rest}` };
    case StreamStatus.UNSPECIFIED:
      return { topic, tone: "plain", text: "Removed" };
    default:
      return { topic, tone: "plain", text: `Status ${status satisfies never}${rest}` };
  }
}

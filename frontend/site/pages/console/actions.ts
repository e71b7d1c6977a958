// What the operator can do. Nothing is shown as done before the server says so.

import type { AdminSession } from "@framewire/schema/admin";
import { h } from "../../lib/dom.ts";
import { parseStreamName } from "../../lib/stream-name.ts";
import { type Api, CALL_TIMEOUT_MS } from "./api.ts";
import { field, openForm } from "./dialog.ts";
import { openDirective, type Target } from "./directive.ts";
import type { Snapshot } from "./feed.ts";
import { perform, toast } from "./toast.ts";

/** The bound of the schema, KickSessionRequest.message. */
const MAX_KICK_MESSAGE = 200;

export class Actions {
  readonly #api: Api;
  readonly #known: () => Snapshot | undefined;
  readonly #acted: () => void;

  /** known is what the page knows of the server; acted is called when something was done. */
  constructor(api: Api, known: () => Snapshot | undefined, acted: () => void) {
    this.#api = api;
    this.#known = known;
    this.#acted = acted;
  }

  restartSource(stream: string, button: HTMLButtonElement): void {
    void perform(button, `The source of ${stream} is being started again.`, async () => {
      await this.#api.restartSource({ stream }, { timeoutMs: CALL_TIMEOUT_MS });
      this.#acted();
    });
  }

  requestKeyframe(stream: string, button: HTMLButtonElement): void {
    void perform(button, `The source of ${stream} was asked for a keyframe.`, () =>
      this.#api.requestStreamKeyframe({ stream }, { timeoutMs: CALL_TIMEOUT_MS }),
    );
  }

  removeStream(stream: string): void {
    openForm({
      title: `Remove ${stream}?`,
      body: [h("p", {}, "The stream ends for its viewers, and its source or publisher is stopped.")],
      ...{ submit: "Remove", danger: true },
      run: (signal) => this.#do(`${stream} was removed.`, this.#api.removeStream({ stream }, options(signal))),
    });
  }

  addStream(): void {
    const name = h("input", {
      ...{ name: "stream", required: true, maxlength: 128, autocomplete: "off", autocapitalize: "none" },
      ...{ spellcheck: "false", placeholder: "yard/gate" },
    });
    const source = h("input", {
      ...{ name: "source", required: true, autocomplete: "off", autocapitalize: "none", spellcheck: "false" },
      placeholder: "rtsp://192.0.2.20/stream1",
    });
    const check = () => {
      const fine = name.value === "" || parseStreamName(name.value) !== undefined;
      name.setCustomValidity(fine ? "" : "Letters, digits and . _ ~ - with / between parts.");
    };
    name.addEventListener("input", check);
    openForm({
      title: "Add a source",
      body: [
        field("Name of the stream", name, "Letters, digits and . _ ~ - with / between parts."),
        field(
          "Source",
          source,
          "The address of a camera or of a stream, as on the command line: rtsp, rtmp, srt, http or demo:. What may be added here is set by admin.sources.",
        ),
      ],
      submit: "Add",
      run: (signal) =>
        this.#do(
          `${name.value} was added.`,
          this.#api.addStream({ stream: name.value, source: source.value.trim() }, options(signal)),
        ),
    });
  }

  kickSession({ sessionId, remote }: AdminSession): void {
    const message = h("textarea", { name: "message", rows: 3, maxlength: MAX_KICK_MESSAGE });
    openForm({
      title: "Kick a viewer",
      body: [
        h("p", {}, `The session from ${remote} ends now. The viewer can come back by hand.`),
        field("What the viewer is told", message, `At most ${MAX_KICK_MESSAGE} characters; may be left empty.`),
      ],
      ...{ submit: "Kick", danger: true },
      run: (signal) =>
        this.#do(
          `The session from ${remote} was ended.`,
          this.#api.kickSession({ sessionId, message: message.value.trim() }, options(signal)),
        ),
    });
  }

  kickPublisher(stream: string): void {
    openForm({
      title: `Kick the publisher of ${stream}?`,
      body: [h("p", {}, "The stream goes offline. Most encoders try again by themselves.")],
      ...{ submit: "Kick", danger: true },
      run: (signal) =>
        this.#do(`The publisher of ${stream} was ended.`, this.#api.kickPublisher({ stream }, options(signal))),
    });
  }

  direct(target: Target): void {
    openDirective(this.#api, target, this.#known);
  }

  async #do(done: string, call: Promise<unknown>): Promise<void> {
    await call;
    toast(done);
    this.#acted();
  }
}

const options = (signal: AbortSignal) => ({ signal, timeoutMs: CALL_TIMEOUT_MS });

// Directives: what the operator asks of players, and what each one answers.

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AdminSession, SendDirectiveRequestSchema, SendDirectiveResponse } from "@framewire/schema/admin";
import { h, icon, setText } from "../../lib/dom.ts";
import { type Api, explain } from "./api.ts";
import { field, openForm } from "./dialog.ts";
import type { Snapshot } from "./feed.ts";

export type Target =
  | { readonly kind: "all" }
  | { readonly kind: "stream"; readonly stream: string }
  | { readonly kind: "session"; readonly session: AdminSession };

type Request = MessageInitShape<typeof SendDirectiveRequestSchema>;
type Body = NonNullable<NonNullable<Request["directive"]>["body"]>;

/** The bound of the schema, ShowNotice.text. */
const MAX_NOTICE = 500;
/** How long players may take, in milliseconds. */
const ANSWER_MS = 5_000;
/** Answers that are listed one by one; all are counted. */
const LISTED = 200;

interface Choice {
  readonly id: string;
  readonly label: string;
  /** What has to be said besides. */
  readonly detail?: HTMLElement;
  readonly body: () => Body;
}

/** Opens the dialog that sends directives. */
export function openDirective(api: Api, target: Target, known: () => Snapshot | undefined): void {
  const to = targetSelect(target, known());
  const choices = directives(known());
  const answers = new Answers(known);
  const details = h("div", { class: "directive-detail" });
  let chosen = choices[0];

  const options = choices.map((choice, i) => {
    const radio = h("input", { type: "radio", name: "directive", value: choice.id, checked: i === 0 });
    radio.addEventListener("change", () => {
      chosen = choice;
      details.replaceChildren(...(choice.detail ? [choice.detail] : []));
    });
    return h("label", { class: "choice" }, radio, h("span", {}, choice.label));
  });

  openForm({
    title: "Control players",
    body: [
      field("To", to.element),
      h("fieldset", { class: "choices" }, h("legend", {}, "What to do"), ...options),
      details,
    ],
    submit: "Send",
    stay: true,
    async run(signal) {
      if (!chosen) return;
      answers.begin(to.expected(known()));
      try {
        const request: Request = { target: to.value(), directive: { body: chosen.body() }, timeoutMs: ANSWER_MS };
        for await (const answer of api.sendDirective(request, { signal })) answers.add(answer);
      } finally {
        answers.end();
      }
    },
    after: [answers.element],
  });
}

interface TargetSelect {
  readonly element: HTMLSelectElement;
  value(): NonNullable<Request["target"]>;
  /** How many answers are to be expected, by what the page knows. */
  expected(snapshot: Snapshot | undefined): number;
}

function targetSelect(target: Target, snapshot: Snapshot | undefined): TargetSelect {
  const sessions = snapshot?.sessions ?? [];
  const streams = new Set(sessions.map(({ state }) => state?.stream ?? "").filter(Boolean));
  if (target.kind === "stream") streams.add(target.stream);
  const options = [h("option", { value: "all" }, "All viewers of this server")];
  for (const stream of [...streams].sort()) {
    options.push(h("option", { value: `stream ${stream}` }, `All viewers of ${stream}`));
  }
  if (target.kind === "session") {
    const { sessionId, remote } = target.session;
    options.push(h("option", { value: `session ${sessionId}` }, `The viewer from ${remote}`));
  }
  const element = h("select", { name: "to" }, ...options);
  if (target.kind === "stream") element.value = `stream ${target.stream}`;
  if (target.kind === "session") element.value = `session ${target.session.sessionId}`;
  const parts = () => {
    const [kind = "", value = ""] = element.value.split(" ");
    return { kind, value };
  };
  return {
    element,
    value() {
      const { kind, value } = parts();
      if (kind === "session") return { case: "sessionId", value };
      return kind === "stream" ? { case: "stream", value } : { case: "all", value: true };
    },
    expected(now) {
      const { kind, value } = parts();
      if (kind === "session") return 1;
      if (kind === "all") return now?.server.sessions ?? 0;
      return now?.sessions.filter(({ state }) => state?.stream === value).length ?? 0;
    },
  };
}

function directives(snapshot: Snapshot | undefined): readonly Choice[] {
  const volume = h("input", { type: "range", name: "volume", min: 0, max: 100, step: 5, value: 50 });
  const shown = h("output", {}, "50%");
  volume.addEventListener("input", () => setText(shown, `${volume.value}%`));

  const names = (snapshot?.streams ?? []).map(({ info }) => info?.name ?? "").filter(Boolean);
  const stream = h("select", { name: "stream" }, ...names.map((name) => h("option", { value: name }, name)));

  const text = h("textarea", { name: "text", rows: 3, maxlength: MAX_NOTICE, required: true });
  const seconds = h("input", { type: "number", name: "seconds", min: 0, max: 3600, value: 10, inputmode: "numeric" });

  return [
    { id: "play", label: "Play", body: () => ({ case: "play", value: {} }) },
    { id: "pause", label: "Pause", body: () => ({ case: "pause", value: {} }) },
    { id: "live", label: "Go live", body: () => ({ case: "goLive", value: {} }) },
    { id: "mute", label: "Mute", body: () => ({ case: "setMuted", value: { muted: true } }) },
    { id: "unmute", label: "Unmute", body: () => ({ case: "setMuted", value: { muted: false } }) },
    {
      ...{ id: "volume", label: "Volume" },
      detail: field("Volume", h("span", { class: "range" }, volume, shown)),
      body: () => ({ case: "setVolume", value: { volume: Number(volume.value) / 100 } }),
    },
    {
      ...{ id: "switch", label: "Switch stream", detail: field("Stream", stream) },
      body: () => ({ case: "switchStream", value: { stream: stream.value } }),
    },
    {
      ...{ id: "notice", label: "Show a notice" },
      detail: h(
        "div",
        { class: "fields" },
        field("Notice", text, `Shown over the picture as plain text; at most ${MAX_NOTICE} characters.`),
        field("Seconds to show it", seconds, "0: until the viewer closes it."),
      ),
      body: () => ({
        case: "showNotice",
        value: { text: text.value, durationMs: Math.round(Number(seconds.value) * 1000) },
      }),
    },
  ];
}

/** The answers to one directive, as they come. */
class Answers {
  readonly #summary = h("p", { class: "answers-summary", role: "status" });
  readonly #list = h("ul", { class: "answers-list", "aria-label": "Answers", tabindex: 0 });
  readonly element = h("div", { class: "answers", hidden: true }, this.#summary, this.#list);
  readonly #known: () => Snapshot | undefined;
  #expected = 0;
  #counts = { done: 0, refused: 0, unanswered: 0 };

  constructor(known: () => Snapshot | undefined) {
    this.#known = known;
  }

  begin(expected: number): void {
    this.#expected = expected;
    this.#counts = { done: 0, refused: 0, unanswered: 0 };
    this.#list.replaceChildren();
    this.#list.hidden = true;
    this.element.hidden = false;
    this.#tell(true);
  }

  add({ sessionId, outcome }: SendDirectiveResponse): void {
    const [kind, text] = describe(outcome);
    this.#counts[kind]++;
    this.#tell(true);
    if (this.#list.children.length >= LISTED) return;
    const session = this.#known()?.sessions.find((session) => session.sessionId === sessionId);
    this.#list.hidden = false;
    this.#list.append(
      h(
        "li",
        { "data-outcome": kind },
        icon(kind === "done" ? "check" : "close"),
        h("span", { title: `Session ${sessionId}` }, session?.remote ?? sessionId),
        h("span", {}, text),
      ),
    );
  }

  end(): void {
    this.#tell(false);
  }

  #tell(waiting: boolean): void {
    const { done, refused, unanswered } = this.#counts;
    const all = done + refused + unanswered;
    const parts = [
      done > 0 ? `${done} done` : "",
      refused > 0 ? `${refused} refused` : "",
      unanswered > 0 ? `${unanswered} without an answer` : "",
    ].filter(Boolean);
    const result = parts.join(", ");
    if (waiting) {
      const expected = Math.max(this.#expected, all);
      setText(
        this.#summary,
        `Waiting: ${all} of ${expected} ${expected === 1 ? "player" : "players"}${result && ` · ${result}`}`,
      );
    } else {
      setText(this.#summary, all === 0 ? "No player was there to answer." : `Answered: ${result}`);
    }
    this.#summary.toggleAttribute("data-waiting", waiting);
  }
}

function describe(outcome: SendDirectiveResponse["outcome"]): ["done" | "refused" | "unanswered", string] {
  switch (outcome.case) {
    case "done":
      return ["done", "Done"];
    case "error":
      return ["refused", outcome.value.message || explain(new Error(`code ${outcome.value.code}`))];
    case "unanswered":
    case undefined:
      return ["unanswered", "No answer"];
    default:
      return outcome satisfies never;
  }
}

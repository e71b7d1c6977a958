// The page /admin: the operator's console.

import { byId, h, icon, setText } from "../../lib/dom.ts";
import { formatBitrate } from "../../lib/format.ts";
import { showLink } from "../../lib/link.ts";
import { Actions } from "./actions.ts";
import { createApi, token } from "./api.ts";
import { EventLog } from "./event-log.ts";
import { Feed, MAX_SESSIONS, type Snapshot, type Standing } from "./feed.ts";
import { formatClock, formatCount, formatMs, unixMs } from "./figures.ts";
import { Charts, ServerFacts } from "./overview.ts";
import { publishersTable } from "./publishers.ts";
import { Rates } from "./rates.ts";
import { streamsTable } from "./streams.ts";
import { setUpToken } from "./token-form.ts";
import { ViewerList } from "./viewer-list.ts";

const board = byId("board", HTMLDivElement);
const gate = byId("gate", HTMLElement);
const lost = byId("lost", HTMLParagraphElement);
const forget = byId("forget", HTMLButtonElement);

let newest: Snapshot | undefined;
const api = createApi();
const feed = new Feed(api, {
  standing: showStanding,
  snapshot: show,
  event: (event) => log.add(event),
  missed: (count) => log.missed(count),
});
const actions = new Actions(
  api,
  () => newest,
  () => feed.poke(),
);

const charts = new Charts(byId("charts", HTMLDivElement), byId("spans", HTMLDivElement));
const facts = new ServerFacts(byId("facts", HTMLDListElement));
const streams = streamsTable(actions);
const viewers = new ViewerList(byId("viewers-tools", HTMLDivElement), actions);
const publishers = publishersTable(actions);
const log = new EventLog();
const rates = new Rates();

byId("streams", HTMLElement).append(streams.element);
byId("viewers", HTMLElement).append(viewers.element);
byId("publishers", HTMLElement).append(publishers.element);
byId("events", HTMLElement).append(log.element);

const add = byId("add", HTMLButtonElement);
add.append(icon("plus"), "Add a source");
add.addEventListener("click", () => actions.addStream());
const controlAll = byId("control-all", HTMLButtonElement);
controlAll.append(icon("send"), "Control all");
controlAll.addEventListener("click", () => actions.direct({ kind: "all" }));
forget.addEventListener("click", () => {
  token.forget();
  location.reload();
});

const tokenForm = setUpToken(gate, () => feed.start());
feed.start();

function show(snapshot: Snapshot): void {
  newest = snapshot;
  const { server, sessions } = snapshot;
  const now = unixMs(server.nowUnixUs);
  const published = new Set(snapshot.publishers.map(({ stream }) => stream));
  rates.begin(server.nowUnixUs);

  const bitsPerSecond = charts.add(snapshot);
  facts.show(snapshot);
  streams.show(
    snapshot.streams.map((stream) => {
      const name = stream.info?.name ?? "";
      return { stream, name, published: published.has(name), now };
    }),
  );
  viewers.show(
    sessions.map((session) => ({ session, now, bitsPerSecond: rates.of(session.sessionId, session.sentBytes) })),
    server.sessions > sessions.length && sessions.length >= MAX_SESSIONS ? server.sessions : sessions.length,
  );
  publishers.show(
    snapshot.publishers.map((publisher) => {
      const key = `${publisher.stream} ${publisher.openedAtUnixUs}`;
      return { publisher, now, bitsPerSecond: rates.of(key, publisher.receivedBytes) };
    }),
  );
  rates.end();

  setText(byId("streams-count", HTMLSpanElement), formatCount(server.streams));
  setText(byId("viewers-count", HTMLSpanElement), formatCount(server.sessions));
  setText(byId("publishers-count", HTMLSpanElement), formatCount(server.publishers));
  controlAll.disabled = server.sessions === 0;
  const latency = charts.latency;
  document.title = `${formatCount(server.sessions)} watching · Console · Framewire`;
  setText(
    byId("summary", HTMLParagraphElement),
    [
      `${formatCount(server.sessions)} ${server.sessions === 1 ? "viewer" : "viewers"}`,
      formatBitrate(bitsPerSecond ?? 0),
      latency === null ? "" : `${formatMs(latency)} from capture to glass`,
    ]
      .filter(Boolean)
      .join(" · "),
  );
}

function showStanding(standing: Standing): void {
  const { kind } = standing;
  showLink(byId("connection", HTMLSpanElement), kind === "token" || kind === "closed" ? "ended" : kind);
  const refused = kind === "token" || kind === "closed";
  gate.hidden = !refused;
  board.hidden = refused;
  board.toggleAttribute("data-stale", kind === "lost");
  lost.hidden = kind !== "lost";
  forget.hidden = token.get() === "" || refused;
  if (kind === "lost") {
    const since = newest ? `What you see is from ${formatClock(newest.at)}; the page` : "The page";
    lost.replaceChildren(
      h("span", {}, `The connection to the server is lost. ${since} goes on by itself as soon as the server answers.`),
    );
  }
  if (refused) {
    token.forget();
    tokenForm.show(standing);
  }
}

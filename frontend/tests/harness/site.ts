import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A web site of somebody else, whose pages embed players. */
export class Site {
  readonly #server: Server;
  readonly #pages = new Map<string, string>();

  private constructor() {
    this.#server = createServer((request, response) => {
      const html = this.#pages.get(request.url ?? "");
      if (request.url === "/favicon.ico") response.writeHead(204).end();
      else if (html === undefined) response.writeHead(404).end();
      else response.setHeader("content-type", "text/html; charset=utf-8").end(html);
    });
  }

  static async start(): Promise<Site> {
    const site = new Site();
    site.#server.listen(0, "127.0.0.1");
    await once(site.#server, "listening");
    return site;
  }

  /**
   * Puts up a page with this body.
   *
   * @param host names the site in the address, and so decides its origin.
   * @param policy is the Content-Security-Policy of the page; without double quotes.
   * @returns its address.
   */
  page(body: string, host: "127.0.0.1" | "localhost" = "127.0.0.1", policy = ""): string {
    const path = `/${this.#pages.size}`;
    const meta = policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
    const head = `<meta charset="utf-8">${meta}<title>Somebody's page</title>`;
    this.#pages.set(path, `<!doctype html><html lang="en"><head>${head}</head><body>${body}</body></html>`);
    return `http://${host}:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** Puts up a page with the element and these attributes. */
  element(
    server: string,
    stream: string,
    attributes = "",
    host: "127.0.0.1" | "localhost" = "127.0.0.1",
    policy = "",
  ): string {
    return this.page(
      `<script type="module" src="http://${server}/player.js"></script>
       <framewire-player src="ws://${server}/ws?stream=${stream}" style="width: 640px" ${attributes}></framewire-player>`,
      host,
      policy,
    );
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

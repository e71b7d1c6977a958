export interface Part {
  readonly type: string;
  readonly body: Buffer;
}

/** Reads the first parts of an endless multipart/x-mixed-replace answer; each has to tell its length. */
export async function readParts(url: string, count: number): Promise<Part[]> {
  const response = await fetch(url);
  const [, boundary] =
    /^multipart\/x-mixed-replace;\s*boundary="?([^";]+)/.exec(response.headers.get("content-type") ?? "") ?? [];
  if (!response.ok || !response.body || !boundary)
    throw new Error(`${url}: ${response.status} ${await response.text()}`);
  const parts: Part[] = [];
  let bytes = Buffer.alloc(0);
  for await (const chunk of response.body) {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      const begin = bytes.indexOf(`--${boundary}\r\n`);
      const end = begin < 0 ? -1 : bytes.indexOf("\r\n\r\n", begin);
      if (end < 0) break;
      const head = bytes.toString("latin1", begin, end);
      const length = Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? Number.NaN);
      if (Number.isNaN(length)) throw new Error(`a part of ${url} does not tell its length: ${head}`);
      if (bytes.length < end + 4 + length) break;
      const type = /^content-type:\s*(\S+)/im.exec(head)?.[1] ?? "";
      parts.push({ type, body: bytes.subarray(end + 4, end + 4 + length) });
      bytes = bytes.subarray(end + 4 + length);
      if (parts.length === count) return parts; // leaving the loop ends the request
    }
  }
  throw new Error(`${url} ended after ${parts.length} parts`);
}

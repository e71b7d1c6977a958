/** Calls a method of the operator's service. */
export async function admin<T = unknown>(address: string, method: string, request: object): Promise<T> {
  const response = await fetch(`http://${address}/framewire.v1.AdminService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

/** The outcome of a directive at one player. */
export interface DirectiveOutcome {
  readonly sessionId: string;
  readonly done?: object;
  readonly error?: { readonly code: string; readonly message: string };
  readonly unanswered?: boolean;
}

const envelope = 5;

/** Sends a directive to the viewers of a stream, and returns their answers (Connect's streaming, in JSON). */
export async function direct(address: string, stream: string, directive: object): Promise<DirectiveOutcome[]> {
  const request = Buffer.from(JSON.stringify({ stream, directive, timeoutMs: 20_000 }));
  const head = Buffer.alloc(envelope);
  head.writeUInt32BE(request.length, 1);
  const response = await fetch(`http://${address}/framewire.v1.AdminService/SendDirective`, {
    method: "POST",
    headers: { "content-type": "application/connect+json", "connect-protocol-version": "1" },
    body: Buffer.concat([head, request]),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`SendDirective: ${response.status} ${bytes}`);
  const outcomes: DirectiveOutcome[] = [];
  for (let at = 0; at + envelope <= bytes.length; ) {
    const [flags, length] = [bytes.readUInt8(at), bytes.readUInt32BE(at + 1)];
    const message = JSON.parse(bytes.toString("utf8", at + envelope, at + envelope + length)) as object;
    at += envelope + length;
    if ((flags & 2) === 0) outcomes.push(message as DirectiveOutcome);
    else if ("error" in message) throw new Error(`SendDirective: ${JSON.stringify(message.error)}`);
  }
  return outcomes;
}

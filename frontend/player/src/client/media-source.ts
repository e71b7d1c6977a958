interface Decoder {
  isTypeSupported(type: string): boolean;
}

/** What MSE is called here: Managed where only that exists, undefined where neither does. */
export function mediaSourceClass(): (typeof MediaSource & Decoder) | undefined {
  const scope = globalThis as { MediaSource?: typeof MediaSource; ManagedMediaSource?: typeof MediaSource };
  return scope.MediaSource ?? scope.ManagedMediaSource;
}

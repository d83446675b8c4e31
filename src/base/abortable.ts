/** Waiting that a signal can end. */

/**
 * Waits for `pending` or for `signal`, whichever is first. What `pending` gives after an abort goes to `discard`, so that a late
 * connection can be closed.
 * @throws the signal's reason when it aborts first, else what `pending` throws.
 */
export async function abortable<T>(
  pending: Promise<T>,
  signal: AbortSignal | undefined,
  discard: (late: T) => void = () => {},
): Promise<T> {
  if (signal === undefined) return await pending;
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([pending, aborted]);
  } catch (error) {
    if (signal.aborted) pending.then(discard, () => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

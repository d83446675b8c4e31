/** Signals of the operating system as an abort signal and a callback; what they mean is the role's business. */

import { NoportsError } from "../base/mod.ts";

/** Where signals come from; the real one is `Deno`, tests bring their own. */
export interface SignalSource {
  addSignalListener(signal: Deno.Signal, handler: () => void): void;
  removeSignalListener(signal: Deno.Signal, handler: () => void): void;
}

export interface StopSignal extends Disposable {
  /** Aborts with a NoportsError `interrupted` on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

export interface StopOptions {
  /** Called on a second SIGINT or SIGTERM: somebody does not want to wait for the drain. */
  readonly onSecond?: () => void;
  readonly source?: SignalSource;
}

/** Turns SIGINT and SIGTERM into an abort signal until it is disposed; from then on they end the process again. */
export function openStopSignal(options: StopOptions = {}): StopSignal {
  const source = options.source ?? Deno;
  const controller = new AbortController();
  const names: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM"];
  const handlers = names.map((name) => {
    const handler = () => {
      if (controller.signal.aborted) return options.onSecond?.();
      controller.abort(new NoportsError("interrupted", `Cannot go on: stopped by ${name}`));
    };
    source.addSignalListener(name, handler);
    return { name, handler };
  });
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const { name, handler } of handlers) source.removeSignalListener(name, handler);
    },
  };
}

/** Calls `onHangup` on each SIGHUP (reload) until it is disposed. Does nothing where there is no SIGHUP. */
export function openHangupHandler(onHangup: () => void, source: SignalSource = Deno): Disposable {
  if (Deno.build.os === "windows") return { [Symbol.dispose]: () => {} };
  source.addSignalListener("SIGHUP", onHangup);
  return { [Symbol.dispose]: () => source.removeSignalListener("SIGHUP", onHangup) };
}

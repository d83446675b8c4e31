import { assert, assertEquals } from "../../tests/assert.ts";
import { isNoportsError } from "../base/mod.ts";
import { openHangupHandler, openStopSignal, type SignalSource } from "./lifecycle.ts";

class FakeSignals implements SignalSource {
  readonly handlers = new Map<Deno.Signal, () => void>();
  addSignalListener(signal: Deno.Signal, handler: () => void): void {
    this.handlers.set(signal, handler);
  }
  removeSignalListener(signal: Deno.Signal, handler: () => void): void {
    if (this.handlers.get(signal) === handler) this.handlers.delete(signal);
  }
}

Deno.test("openStopSignal() aborts on the first signal and calls back on the second", () => {
  const source = new FakeSignals();
  let seconds = 0;
  {
    using stop = openStopSignal({ source, onSecond: () => seconds++ });
    assert(!stop.signal.aborted);
    source.handlers.get("SIGTERM")?.();
    assert(stop.signal.aborted);
    assert(isNoportsError(stop.signal.reason, "interrupted"));
    assertEquals(seconds, 0);
    source.handlers.get("SIGINT")?.();
    assertEquals(seconds, 1);
  }
  assertEquals(source.handlers.size, 0);
});

Deno.test("openStopSignal() listens to the real process and lets go", () => {
  using stop = openStopSignal();
  assert(!stop.signal.aborted);
});

Deno.test("openHangupHandler() calls back until it is disposed", () => {
  const source = new FakeSignals();
  let reloads = 0;
  {
    using _handler = openHangupHandler(() => reloads++, source);
    source.handlers.get("SIGHUP")?.();
    source.handlers.get("SIGHUP")?.();
  }
  assertEquals([reloads, source.handlers.size], [2, 0]);
});

/** The calls of an `AtClient` that most roles never make, for fakes to build on. */

export abstract class IdleAtClient {
  monitorReady(): Promise<void> {
    return Promise.resolve();
  }

  put(): Promise<void> {
    return Promise.resolve();
  }

  delete(): Promise<void> {
    return Promise.resolve();
  }

  get(): Promise<string | null> {
    return Promise.resolve(null);
  }

  scan(): Promise<string[]> {
    return Promise.resolve([]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

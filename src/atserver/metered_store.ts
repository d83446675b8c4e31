/** A store that tells how long each of its operations takes; what happens in a transaction counts as one. */

import type { Store } from "./store/store.ts";

/** `seconds` of one outermost operation. `now` gives milliseconds of a clock that only goes forward. */
export function meterStore(
  store: Store,
  now: () => number,
  observe: (seconds: number) => void,
): Store {
  let isInside = false;
  const measured = new Map<PropertyKey, unknown>();
  return new Proxy(store, {
    get(target, name) {
      const known = measured.get(name);
      if (known !== undefined) return known;
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      const method = (...args: unknown[]): unknown => {
        if (isInside) return member.apply(target, args);
        isInside = true;
        const startedAt = now();
        try {
          return member.apply(target, args);
        } finally {
          isInside = false;
          observe((now() - startedAt) / 1000);
        }
      };
      measured.set(name, method);
      return method;
    },
  });
}

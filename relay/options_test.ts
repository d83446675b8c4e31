import { assertEquals, assertRejects } from "../tests/assert.ts";
import { parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { NoportsError } from "../src/base/mod.ts";
import { parseFlags } from "../src/cli/mod.ts";
import { parseRelayOptions, RELAY_FLAGS } from "./options.ts";
import { PortAllocator } from "./ports.ts";

const parse = (...args: string[]) => parseRelayOptions(parseFlags(args, RELAY_FLAGS));

Deno.test("parseRelayOptions() reads the vendor's command line", () => {
  assertEquals(parse("-a", "RV_am", "-i", "relay1.example.net"), {
    atSign: parseAtSign("@rv_am"),
    address: "relay1.example.net",
    allowed: null,
    portRange: null,
    bind: "0.0.0.0",
    keyFile: undefined,
  });
});

Deno.test("parseRelayOptions() reads our own flags", () => {
  const options = parse(
    ...["-a", "@rv", "--ip", "::1", "-m", "@alice, Bob", "--port-range", "40000-40009"],
    ...["--bind", "127.0.0.1", "-k", "keys"],
  );
  assertEquals(options.allowed, new Set([parseAtSign("@alice"), parseAtSign("@bob")]));
  assertEquals(options.portRange, { first: 40000, last: 40009 });
  assertEquals(options.bind, "127.0.0.1");
  assertEquals(parse("-a", "@rv", "-i", "h", "-m", "open").allowed, null);
});

Deno.test("parseRelayOptions() says what is missing or wrong", async () => {
  for (
    const args of [
      ["-i", "h"],
      ["-a", "@rv"],
      ["-a", "@rv", "-i", "two words"],
      ["-a", "@rv", "-i", "h,1"],
      ["-a", "@rv", "-i", "h", "--port-range", "5"],
      ["-a", "@rv", "-i", "h", "--port-range", "9-8"],
      ["-a", "@rv", "-i", "h", "--port-range", "9-9"],
      ["-a", "@rv", "-i", "h", "--port-range", "1-70000"],
    ]
  ) await assertRejects(() => parse(...args), NoportsError, { code: "usage" });
  await assertRejects(() => parse("-a", "@rv", "-i", "h", "-m", "a b"), NoportsError, {
    code: "atsign_invalid",
  });
});

Deno.test("PortAllocator takes ports of its range only, goes round, and says when none is free", async () => {
  // a range of free ports: two that the system has just given
  const probes = [0, 0, 0].map(() => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = probes.map((probe) => probe.addr.port).sort((x, y) => x - y);
  for (const probe of probes) probe.close();
  const [first, last] = [ports[0] ?? 0, ports[2] ?? 0];
  const allocator = new PortAllocator("127.0.0.1", { first, last });
  using stack = new DisposableStack();
  const seen = new Set<number>();
  const open = () => {
    const pair = allocator.openPair();
    for (const listener of [pair.a, pair.b]) {
      stack.defer(() => listener.close());
      const { port } = listener.addr;
      assertEquals(port >= first && port <= last && !seen.has(port), true);
      seen.add(port);
    }
  };
  open();
  const tight = new PortAllocator("127.0.0.1", {
    first: [...seen][0] ?? 0,
    last: [...seen][0] ?? 0,
  });
  await assertRejects(() => tight.openPair(), NoportsError, { code: "port_in_use" });
});

import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { NoportsError, silentLog } from "../base/mod.ts";
import { Metrics } from "./metrics.ts";
import { openMetricsServer } from "./metrics_server.ts";

Deno.test("Metrics shows counters, gauges and histograms in Prometheus' text form", () => {
  const metrics = new Metrics();
  const counter = metrics.counter("c_total", "Counted.\nTwice.");
  counter.add({ verb: 'a"b\\\n', outcome: "ok" });
  counter.add({ verb: 'a"b\\\n', outcome: "ok" }, 2);
  metrics.gauge("g", "Read.", () => [{ value: 1.5 }, { labels: { kind: "x" }, value: 0 }]);
  const histogram = metrics.histogram("h_seconds", "Spread.", [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 3]) histogram.observe(value);
  assertEquals(
    metrics.render(),
    [
      "# HELP c_total Counted.\\nTwice.",
      "# TYPE c_total counter",
      'c_total{verb="a\\"b\\\\\\n",outcome="ok"} 3',
      "# HELP g Read.",
      "# TYPE g gauge",
      "g 1.5",
      'g{kind="x"} 0',
      "# HELP h_seconds Spread.",
      "# TYPE h_seconds histogram",
      'h_seconds_bucket{le="0.1"} 2',
      'h_seconds_bucket{le="1"} 3',
      'h_seconds_bucket{le="+Inf"} 4',
      "h_seconds_sum 3.65",
      "h_seconds_count 4",
      "",
    ].join("\n"),
  );
});

Deno.test("Metrics bounds the series of one metric, whatever labels come", () => {
  const metrics = new Metrics();
  const counter = metrics.counter("c_total", "Counted.");
  for (let i = 0; i < 10_000; i++) counter.add({ who: String(i) });
  const lines = metrics.render().split("\n");
  assert(lines.length < 600);
  assert(lines.includes('c_total{who="other"} 9500'));
});

Deno.test("the metrics port answers its three paths and nothing else", async () => {
  const metrics = new Metrics();
  metrics.gauge("up", "Up.", () => [{ value: 1 }]);
  let waitsFor: string | null = "starting";
  await using server = openMetricsServer({
    listen: { hostname: "127.0.0.1", port: 0 },
    metrics,
    checkHealth: () => null,
    checkReady: () => waitsFor,
    log: silentLog,
  });
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${server.address.port}${path}`, { method });
    return [response.status, await response.text()] as const;
  };
  const [status, body] = await get("/metrics");
  assertEquals(status, 200);
  assertMatch(body, /^# HELP up Up\.\n# TYPE up gauge\nup 1\n$/);
  assertEquals(await get("/healthz"), [200, "ok\n"]);
  assertEquals(await get("/readyz"), [503, "starting\n"]);
  waitsFor = null;
  assertEquals(await get("/readyz"), [200, "ok\n"]);
  assertEquals((await get("/"))[0], 404);
  assertEquals((await get("/metrics", "POST"))[0], 405);
  const error = await assertRejects(
    () =>
      openMetricsServer({
        listen: server.address,
        metrics,
        checkHealth: () => null,
        checkReady: () => null,
        log: silentLog,
      }),
    NoportsError,
    { code: "port_in_use" },
  );
  assertMatch(error.message, /--metrics/);
});

Deno.test("a metric that cannot be read is an error of that request only", async () => {
  const metrics = new Metrics();
  metrics.gauge("bad", "Bad.", () => {
    throw new Error("no");
  });
  await using server = openMetricsServer({
    listen: { hostname: "127.0.0.1", port: 0 },
    metrics,
    checkHealth: () => null,
    checkReady: () => null,
    log: silentLog,
  });
  const base = `http://127.0.0.1:${server.address.port}`;
  const response = await fetch(`${base}/metrics`);
  assertEquals([response.status, await response.text()], [500, "internal error\n"]);
  const healthy = await fetch(`${base}/healthz`);
  assertEquals([healthy.status, await healthy.text()], [200, "ok\n"]);
});

/**
 * The HTTP port of `--metrics`: `/metrics` for Prometheus, `/healthz` (the process works) and `/readyz` (it serves). No
 * secrets are shown, but who may see the numbers is the operator's choice of address. Answers are short, made at once, and
 * no request's body is read. IO.
 */

import { describeError, type Log, NoportsError } from "../base/mod.ts";
import type { Metrics } from "./metrics.ts";

/** Our choice: how long closing waits for answers that are under way. */
const CLOSE_MS = 200;
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export interface MetricsServerOptions {
  readonly listen: { readonly hostname: string; readonly port: number };
  readonly metrics: Metrics;
  /** What is wrong with the process, null when nothing is. */
  readonly checkHealth: () => string | null;
  /** What it still waits for before it serves (or that it stops), null when it serves. */
  readonly checkReady: () => string | null;
  readonly log: Log;
}

export interface MetricsServer extends AsyncDisposable {
  /** The address that was bound. */
  readonly address: { readonly hostname: string; readonly port: number };
}

/** Listens. @throws {NoportsError} `port_in_use`, `config_invalid`. */
export function openMetricsServer(options: MetricsServerOptions): MetricsServer {
  const { hostname, port } = options.listen;
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => {
      try {
        return answer(request, options);
      } catch (error) {
        options.log.error("metrics failed", { error });
        return text(500, "internal error");
      }
    });
  } catch (cause) {
    throw new NoportsError(
      cause instanceof Deno.errors.AddrInUse ? "port_in_use" : "config_invalid",
      `Cannot listen on ${hostname}:${port} for --metrics: ${describeError(cause)}`,
      { cause, hint: "choose another address or port" },
    );
  }
  return {
    address: { hostname: server.addr.hostname, port: server.addr.port },
    async [Symbol.asyncDispose]() {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_MS));
      await Promise.race([server.shutdown(), late]);
      clearTimeout(timer);
    },
  };
}

function answer(request: Request, options: MetricsServerOptions): Response {
  if (request.method !== "GET" && request.method !== "HEAD") return text(405, "only GET");
  switch (new URL(request.url).pathname) {
    case "/metrics":
      return text(200, options.metrics.render(), METRICS_TYPE);
    case "/healthz":
      return state(options.checkHealth());
    case "/readyz":
      return state(options.checkReady());
    default:
      return text(404, "not found");
  }
}

function state(problem: string | null): Response {
  return problem === null ? text(200, "ok") : text(503, problem);
}

function text(status: number, body: string, type = "text/plain; charset=utf-8"): Response {
  const end = body.endsWith("\n") ? "" : "\n";
  return new Response(body + end, { status, headers: { "content-type": type } });
}

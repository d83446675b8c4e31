import { assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { NoportsError } from "../base/mod.ts";
import { parseFlags } from "../cli/mod.ts";
import { parseDataDir, parseServerOptions, SERVER_RUN_FLAGS } from "./options.ts";

const ENVIRONMENT = {
  env: (name: string) => name === "HOME" ? "/home/u" : undefined,
  cwd: "/here",
  machineName: "Box.example",
};
const parse = (line: string) =>
  parseServerOptions(parseFlags(line.split(" "), SERVER_RUN_FLAGS), ENVIRONMENT);

Deno.test("parseServerOptions() has a default for everything", () => {
  assertEquals(parse(""), {
    dataDir: "/home/u/.local/share/noports/server",
    listen: { hostname: "0.0.0.0", port: 6464 },
    directoryListen: { hostname: "0.0.0.0", port: 6400 },
    hostname: "box.example",
    certificate: null,
    peerDirectory: null,
    rootCaFile: null,
    sniPattern: null,
    limits: {},
    metrics: null,
    registrar: null,
  });
});

Deno.test("parseServerOptions() reads every flag", () => {
  assertEquals(
    parse(
      "--data-dir d/ --listen [::]:0 --directory-listen 127.0.0.1:64 --hostname 10.0.0.1 " +
        "--tls-cert c.pem --tls-key /k.pem --peer-directory root.example --root-ca ca.pem " +
        "--sni-pattern {atsign}.at.example.org --limit connections=5 --limit value=9 " +
        "--metrics 127.0.0.1:0 --registrar-listen 0.0.0.0:6443 --otp-command /opt/mail-code",
    ),
    {
      dataDir: "/here/d",
      listen: { hostname: "::", port: 0 },
      directoryListen: { hostname: "127.0.0.1", port: 64 },
      hostname: "10.0.0.1",
      certificate: { certFile: "/here/c.pem", keyFile: "/k.pem" },
      peerDirectory: { host: "root.example", port: 64 },
      rootCaFile: "/here/ca.pem",
      sniPattern: { suffix: ".at.example.org" },
      limits: { connections: 5, valueChars: 9 },
      metrics: { hostname: "127.0.0.1", port: 0 },
      registrar: {
        listen: { hostname: "0.0.0.0", port: 6443 },
        otpCommand: "/opt/mail-code",
      },
    },
  );
});

Deno.test("parseServerOptions() refuses bad values before anything is touched", async () => {
  const rows = [
    ["--listen 6464", "usage", /--listen/],
    ["--listen 0.0.0.0:70000", "usage", /--listen/],
    ["--directory-listen ::1:64", "usage", /--directory-listen/],
    ["--hostname ::1", "usage", /host name/],
    ["--hostname box:6464", "usage", /host name/],
    ["--hostname a_b-", "usage", /host name/],
    ["--hostname b@x", "usage", /host name/],
    ["--peer-directory a:b", "usage", /--peer-directory/],
    ["--sni-pattern at.example.org", "usage", /--sni-pattern/],
    ["--tls-cert c.pem", "config_invalid", /go together/],
    ["--tls-key k.pem", "config_invalid", /go together/],
    ["--limit connections", "usage", /--limit/],
    ["--metrics 9100", "usage", /--metrics/],
    ["--registrar-listen :1", "usage", /--registrar-listen/],
    ["--otp-command x", "config_invalid", /registrar/],
  ] as const;
  for (const [line, code, message] of rows) {
    const error = await assertRejects(() => parse(line), NoportsError, { code });
    assertMatch(error.message, message);
  }
});

Deno.test("parseDataDir() follows XDG, which ignores relative folders", () => {
  const dir = (xdg: string) =>
    parseDataDir(parseFlags([], SERVER_RUN_FLAGS), {
      cwd: "/here",
      env: (name) => name === "XDG_DATA_HOME" ? xdg : "/home/u",
    });
  assertEquals(dir("/data/"), "/data/noports/server");
  assertEquals(dir("data"), "/home/u/.local/share/noports/server");
  assertEquals(dir(""), "/home/u/.local/share/noports/server");
});

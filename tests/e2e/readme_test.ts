/** Runs the README's walk-through as written: its blocks, its ports, its ssh, in a network namespace of its own. */

import { RoleProcess } from "../../src/demo/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import { testWith } from "./components.ts";
import { makeSshdFolder } from "./sshd.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

async function blocks(): Promise<Map<string, string>> {
  const readme = await Deno.readTextFile(`${ROOT}README.md`);
  const found = new Map<string, string>();
  for (const match of readme.matchAll(/<!-- terminal (\d) -->\n```sh\n(.*?)```/gs)) {
    found.set(match[1] ?? "", match[2] ?? "");
  }
  return found;
}

testWith(
  ["sshd", "ssh", "ssh-keygen", "ip", "nsenter", "network namespaces"],
  "the README's walk-through gives an ssh session through the tunnel",
  async () => {
    const terminals = await blocks();
    assertEquals([...terminals.keys()], ["1", "2", "3", "4", "5"]);
    const folder = await Deno.makeTempDir({ prefix: "noports-readme-" });
    await using owned = new AsyncDisposableStack();
    owned.defer(() => Deno.remove(folder, { recursive: true }));
    const sshd = await makeSshdFolder(folder);
    // stands for the user's own ~/.ssh: his key, his known hosts
    await Deno.mkdir(`${folder}/bin`);
    await Deno.writeTextFile(
      `${folder}/bin/ssh`,
      `#!/bin/sh\nexec /usr/bin/ssh -F ${sshd.clientConfig} "$@"\n`,
      { mode: 0o755 },
    );
    const env = { HOME: folder, PATH: `${folder}/bin:${Deno.env.get("PATH")}` };
    const signal = AbortSignal.timeout(120_000);
    const holder = owned.use(
      new RoleProcess({
        name: "network namespace",
        command: ["unshare", "--net", "sh", "-c"],
        args: ["ip link set lo up && echo up && exec sleep 3600"],
        env,
      }),
    );
    await holder.line(/^up$/, signal);
    const inside = (name: string, script: string) =>
      owned.use(
        new RoleProcess({
          name,
          command: ["nsenter", `--net=/proc/${holder.pid}/ns/net`],
          args: ["sh", "-ec", `cd ${ROOT}\n${withExec(script)}`],
          env,
        }),
      );
    const sshServer = inside("sshd", `${sshd.program} -D -e -f ${sshd.serverConfig(22)}`);
    await sshServer.line(/Server listening/, signal);
    const start = (terminal: string) =>
      inside(`terminal ${terminal}`, terminals.get(terminal) ?? "");
    await start("1").line(/"ready":true/, signal);
    await start("2").line(/monitor started/, signal);
    await start("3").line(/monitor started/, signal);
    assertEquals(await start("4").line(/^\d+$/, signal), "2222");
    const ssh = start("5");
    assertEquals(await ssh.ended(), 0, ssh.stderr.join("\n"));
    assertEquals(ssh.stdout, [Deno.hostname()]);
    assert(terminals.size > 0);
  },
);

/** The last line of a block runs until Ctrl-C: it takes the shell's place, so that ending the process ends it. */
function withExec(script: string): string {
  const lines = script.trimEnd().split("\n");
  const last = lines.pop() ?? "";
  return [...lines, `exec ${last}`].join("\n");
}

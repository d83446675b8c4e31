/** Real OpenSSH through a real tunnel: a command, its exit status, and scp both ways. */

import { createHash } from "node:crypto";
import { assert, assertEquals } from "../assert.ts";
import { testWith } from "./components.ts";
import { Plane } from "./harness.ts";
import { startSshd } from "./sshd.ts";

testWith(["sshd", "ssh", "scp", "ssh-keygen"], "ssh and scp work through the tunnel", async (t) => {
  await using plane = await Plane.start();
  await Deno.mkdir(`${plane.folder}/sshd`);
  const server = await startSshd(`${plane.folder}/sshd`, plane.signal);
  await using _sshd = server.sshd;
  await plane.relay();
  await plane.daemon(`localhost:${server.port}`);
  const { port } = await plane.tunnel(server.port);
  const run = async (program: string, args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: ["-F", server.clientConfig, ...args],
      signal: plane.signal,
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    return { code, stdout: text(stdout), stderr: text(stderr) };
  };

  await t.step("a command's output and exit status come back", async () => {
    const done = await run("ssh", ["-p", `${port}`, "localhost", "echo TEST PASSED; exit 7"]);
    assertEquals(done, { code: 7, stdout: "TEST PASSED", stderr: "" });
  });

  await t.step("scp moves 20 MB there and back unchanged", async () => {
    const bytes = new Uint8Array(20 * 1024 * 1024);
    for (let at = 0; at < bytes.length; at += 65536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65536));
    }
    const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
    const [local, remote, back] = ["local", "remote", "back"].map((n) => `${plane.folder}/${n}`);
    assert(local !== undefined && remote !== undefined && back !== undefined);
    await Deno.writeFile(local, bytes);
    const there = await run("scp", ["-q", "-P", `${port}`, local, `localhost:${remote}`]);
    assertEquals(there.code, 0, there.stderr);
    assertEquals(sha256(await Deno.readFile(remote)), sha256(bytes));
    const again = await run("scp", ["-q", "-P", `${port}`, `localhost:${remote}`, back]);
    assertEquals(again.code, 0, again.stderr);
    assertEquals(sha256(await Deno.readFile(back)), sha256(bytes));
  });

  await t.step("five sessions at once do not disturb each other", async () => {
    const results = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => run("ssh", ["-p", `${port}`, "localhost", `echo ${n}`])),
    );
    assertEquals(results.map((r) => r.stdout), ["1", "2", "3", "4", "5"]);
  });
});

/** A real OpenSSH server on a loopback port with keys of its own, for tests. */

import { RoleProcess } from "../../src/demo/mod.ts";
import { assert } from "../assert.ts";
import { component } from "./components.ts";

export interface SshdFolder {
  /** The path of sshd. */
  readonly program: string;
  /** Writes the server's configuration for `port` and gives its path. */
  readonly serverConfig: (port: number) => string;
  /** The client's configuration: its key, and the server's host key as the only known one. */
  readonly clientConfig: string;
}

/** Makes host key, user key and configurations in `folder`. */
export async function makeSshdFolder(folder: string): Promise<SshdFolder> {
  const program = component("sshd");
  assert(program !== null);
  for (const name of ["host_key", "user_key"]) {
    const made = await new Deno.Command("ssh-keygen", {
      args: ["-q", "-t", "ed25519", "-N", "", "-f", `${folder}/${name}`],
    }).output();
    assert(made.success);
  }
  const userKey = await Deno.readTextFile(`${folder}/user_key.pub`);
  await Deno.writeTextFile(`${folder}/authorized_keys`, userKey, { mode: 0o600 });
  const hostKey = (await Deno.readTextFile(`${folder}/host_key.pub`)).trim();
  await Deno.writeTextFile(`${folder}/known_hosts`, `device ${hostKey}\n`);
  const clientConfig = `${folder}/ssh_config`;
  await Deno.writeTextFile(
    clientConfig,
    [
      "Host *",
      `  IdentityFile ${folder}/user_key`,
      "  IdentitiesOnly yes",
      "  HostKeyAlias device",
      `  UserKnownHostsFile ${folder}/known_hosts`,
      "  StrictHostKeyChecking yes",
      "  BatchMode yes",
      "",
    ].join("\n"),
  );
  // the privilege separation folder that Debian's service makes at start
  if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const serverConfig = (port: number) => {
    const path = `${folder}/sshd_config_${port}`;
    Deno.writeTextFileSync(
      path,
      [
        `Port ${port}`,
        "ListenAddress 127.0.0.1",
        `HostKey ${folder}/host_key`,
        `AuthorizedKeysFile ${folder}/authorized_keys`,
        `PidFile none`,
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
        "MaxStartups 200",
        "Subsystem sftp internal-sftp",
        "",
      ].join("\n"),
    );
    return path;
  };
  return { program, serverConfig, clientConfig };
}

/** Starts sshd on a free loopback port; whoever calls disposes the process. */
export async function startSshd(
  folder: string,
  signal: AbortSignal,
): Promise<{ sshd: RoleProcess; port: number; clientConfig: string }> {
  const made = await makeSshdFolder(folder);
  const port = freePort();
  const sshd = new RoleProcess({
    name: "sshd",
    command: [made.program],
    args: ["-D", "-e", "-f", made.serverConfig(port)],
    env: {},
  });
  await sshd.line(/Server listening/, signal);
  return { sshd, port, clientConfig: made.clientConfig };
}

/** sshd cannot listen on port 0 and say which it got, so a free one is found for it. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

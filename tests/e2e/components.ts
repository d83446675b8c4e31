/**
 * Programs of other projects that end-to-end tests run against. Where one is missing, its tests are skipped with the
 * reason in their name, which `make test` lists at its end; on CI (`CI=true`) they fail, so that no run there can
 * pass without them.
 */

/** Each component's program and how to get it. */
const COMPONENTS = {
  sshd: "apt-get install openssh-server",
  ssh: "apt-get install openssh-client",
  scp: "apt-get install openssh-client",
  "ssh-keygen": "apt-get install openssh-client",
  script: "apt-get install bsdutils",
  ip: "apt-get install iproute2",
  nsenter: "apt-get install util-linux",
  "network namespaces": "run the tests as root",
} as const;

/** sshd lies in a folder that is not on an ordinary user's PATH. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

export type Component = keyof typeof COMPONENTS;

/** The path of the component's program, or null when it is not installed. */
export function component(name: Component): string | null {
  if (name === "network namespaces") return networkNamespaces();
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), ...SYSTEM_FOLDERS];
  for (const folder of folders) {
    if (folder.startsWith("/") && isProgram(`${folder}/${name}`)) return `${folder}/${name}`;
  }
  return null;
}

/** Registers a test that needs `needed`, one component or several. */
export function testWith(
  needed: Component | readonly Component[],
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  const missing = (typeof needed === "string" ? [needed] : needed)
    .filter((each) => component(each) === null)
    .map((each) => `no ${each} here: ${COMPONENTS[each]}`);
  if (missing.length === 0) {
    Deno.test(name, fn);
  } else if (Deno.env.get("CI") === "true") {
    Deno.test(name, () => {
      throw new Error(missing.join("; "));
    });
  } else {
    Deno.test({ name: `${name} [skipped: ${missing.join("; ")}]`, ignore: true, fn });
  }
}

/** The program that makes them, when this user may: root usually may. */
function networkNamespaces(): string | null {
  try {
    const { success } = new Deno.Command("unshare", { args: ["--net", "true"], stderr: "null" })
      .outputSync();
    return success ? "unshare" : null;
  } catch {
    return null;
  }
}

function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** Addresses of peers as counted and logged: one form for each, and one group for what one stranger easily commands. */

/** `::ffff:192.0.2.1` (IPv4 on a dual-stack socket) as `192.0.2.1`, without a zone; other addresses as they are. */
export function plainAddress(address: string): string {
  const bare = (address.split("%")[0] ?? "").toLowerCase();
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1] ?? bare;
}

/** What limits per peer count by: an IPv4 address, or the /64 network of an IPv6 address, which is one customer's. */
export function addressGroup(address: string): string {
  const plain = plainAddress(address);
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const filled = tail === undefined
    ? front
    : [...front, ...new Array(Math.max(0, 8 - front.length - back.length)).fill("0"), ...back];
  return filled.slice(0, 4).map((part) => part.replace(/^0+(?=.)/, "")).join(":") + "::/64";
}

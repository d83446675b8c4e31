import { assertEquals } from "../../../tests/assert.ts";
import { addressGroup, plainAddress } from "./remote_address.ts";

Deno.test("plainAddress() writes one address in one way", () => {
  const rows = [
    ["127.0.0.1", "127.0.0.1"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:DB8::1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1"],
    ["", ""],
  ] as const;
  for (const [given, plain] of rows) assertEquals(plainAddress(given), plain);
});

Deno.test("addressGroup() takes an IPv4 address alone and an IPv6 network as a whole", () => {
  const rows = [
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002::9", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["", ""],
  ] as const;
  for (const [given, group] of rows) assertEquals(addressGroup(given), group);
});

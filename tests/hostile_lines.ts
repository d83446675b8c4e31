/** Command lines that nobody should send, as fast-check arbitraries: every verb, with parts that do not fit. */

import fc from "fast-check";

/** atSigns that are odd, too long, or look like others. */
export const ODD_AT_SIGNS: readonly string[] = [
  "@alice",
  "@bob",
  "@zoe",
  "alice",
  "@",
  "@@",
  "@ALICE",
  "@al.ice",
  "@😀",
  "@👩‍👩‍👧‍👦",
  "@\u200dalice",
  "@\u202ealice",
  "@аlice", // the first letter is Cyrillic
  "@ａｌｉｃｅ",
  "@a\u0301lice",
  "@ßtrasse",
  "@İstanbul",
  "@עברית",
  "@\u2400",
  "@al!ice",
  "@al ice",
  "@alice@bob",
  `@${"a".repeat(55)}`,
  `@${"a".repeat(56)}`,
  `@${"😀".repeat(30)}`,
  "@__proto__",
  "@constructor",
];

const KEYS: readonly string[] = [
  "k.wavi",
  "K.WAVI",
  "x",
  "",
  ".",
  "..",
  ".wavi",
  "wavi.",
  "_h",
  "__h",
  "shared_key",
  "shared_key.bob",
  "publickey",
  "signing_publickey",
  "signing_privatekey",
  "privatekey:at_secret",
  "privatekey:at_pkam_publickey",
  "e1.new.enrollments.__manage",
  "e1.default_enc_private_key.__manage",
  "_apsk.e1.a.__e",
  "k\u0007.wavi",
  "k 1.wavi",
  "😀.wavi",
  "__proto__",
  `${"k".repeat(300)}.wavi`,
];

const VALUES: readonly string[] = [
  "",
  "v",
  "data:x",
  "error:AT0001-x",
  "a:b @c d",
  "\u0000",
  "\u0007\u001b[31m",
  "null",
  "x".repeat(5_000),
  '{"a":1}',
  "{",
  "[]",
  "atsign://k@alice",
];

const NUMBERS: readonly string[] = [
  "0",
  "1",
  "-1",
  "-2",
  "60000",
  "999999999999999",
  "9999999999999999999999",
  "1.5",
  "0x10",
  "1e3",
  "",
];

const JSON_PARTS: readonly string[] = [
  "{}",
  "{",
  "[]",
  "null",
  '"x"',
  '{"enrollmentId":"e1"}',
  '{"enrollmentId":"pending"}',
  '{"enrollmentId":"none"}',
  '{"enrollmentId":1}',
  '{"enrollmentId":"pending","encryptedDefaultEncryptionPrivateKey":"a","encryptedDefaultSelfEncryptionKey":"b"}',
  '{"appName":"a","deviceName":"d","apkamPublicKey":"K"}',
  '{"appName":"a","deviceName":"d","apkamPublicKey":"K","otp":"A1B2C3","namespaces":{"wavi":"rw"},"encryptedAPKAMSymmetricKey":"S"}',
  '{"appName":"a","deviceName":"d","apkamPublicKey":"K","otp":"A1B2C3","namespaces":{"__proto__":"rw","*":"x"}}',
  '{"appName":"","deviceName":null,"namespaces":[]}',
  '{"enrollmentStatusFilter":["pending","nothing",1]}',
  '{"atKey":"k.wavi","value":"v","sharedBy":"@alice","metadata":{"isPublic":false,"ttl":-1}}',
  '{"atKey":"k.wavi","value":"a\\nb","sharedBy":"@alice"}',
  '{"__proto__":{"x":1}}',
  '[{"id":1,"command":"update:k.wavi@alice v"},{"id":2,"command":"nonsense"}]',
  '[{"id":1,"command":"batch:[]"},{"id":2,"command":"monitor"},{"id":3,"command":"@exit"}]',
  '[{"id":{},"command":[]}]',
  `${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`,
];

/** `%a` an atSign, `%k` a key, `%v` a value, `%n` a number, `%j` JSON. */
const TEMPLATES: readonly string[] = [
  "from:%a",
  "from:%a:clientConfig:%j",
  "cram:%v",
  "pkam:%v",
  "pkam:AAAA",
  "pkam:enrollmentId:pending:AAAA",
  "pkam:signingAlgo:ecc_secp256r1:AAAA",
  "pol",
  "update:%k%a %v",
  "update:ttl:%n:ttb:%n:ttr:%n:ccd:true:%a:%k%a %v",
  "update:public:%k%a %v",
  "update:ivNonce:%v:isEncrypted:True:%k%a %v",
  "update:privatekey:at_pkam_publickey %v",
  "update:json:%j",
  "update:meta:%k%a:ttl:%n:isEncrypted:true",
  "update:meta:%a:%k%a:ttb:%n",
  "delete:%k%a",
  "delete:%a:%k%a",
  "delete:cached:%a:%k%a",
  "delete:priority:%v:%k%a",
  "delete:privatekey:at_secret",
  "llookup:%k%a",
  "llookup:all:%a:%k%a",
  "llookup:meta:cached:public:%k%a",
  "lookup:%k%a",
  "lookup:bypassCache:true:all:%k%a",
  "plookup:%k%a",
  "plookup:meta:%k%a",
  "scan",
  "scan:showhidden:true %v",
  "scan:%a (a+)+$",
  "notify:%a:%k%a:%v",
  "notify:id:%v:%a:%k%a:%v",
  "notify:id:n-1:delete:ttln:%n:ttr:%n:ccd:true:%a:%k%a",
  "notify:strategy:latest:latestN:%n:notifier:x:%a:%k%a:%v",
  "notify:messageType:text:%a:%v",
  "notify:list",
  "notify:list:2026-02-30:2020-01-01:%v",
  "notify:status:%v",
  "notify:fetch:%v",
  "notify:remove:%v",
  "notify:all:update:ttl:%n:%a,%a:%k%a:%v",
  "sync:from:%n:limit:%n",
  "sync:from:%n:limit:%n:%v",
  "batch:%j",
  "stats",
  "stats:%n",
  "stats:3:%v",
  "config:block:add:%a %a",
  "config:block:remove:%a",
  "config:block:show",
  "config:set:%v",
  "enroll:request:%j",
  "enroll:approve:%j",
  "enroll:deny:%j",
  "enroll:revoke:%j",
  "enroll:unrevoke:%j",
  "enroll:delete:%j",
  "enroll:list:%j",
  "enroll:list",
  "enroll:fetch:%j",
  "otp:get",
  "otp:get:ttl:%n",
  "otp:put:%v",
  "otp:put:ABC123:ttl:%n",
  "keys:get:self",
  "keys:get:keyName:%k%a",
  "keys:put:public:namespace:__global:appName:a:deviceName:d:keyType:t:encryptionKeyName:e:keyName:%k %v",
  "keys:delete:keyName:%k%a",
  "info",
  "info:brief",
  "noop:%n",
  "stream:init%a x y 1",
  "%v",
];

const FILLERS: Readonly<Record<string, readonly string[]>> = {
  "%a": ODD_AT_SIGNS,
  "%k": KEYS,
  "%v": VALUES,
  "%n": NUMBERS,
  "%j": JSON_PARTS,
};

/** One line, without its LF and without any inside. */
export function hostileLine(): fc.Arbitrary<string> {
  const seeds = fc.array(fc.nat(1_000), { minLength: 8, maxLength: 8 });
  const whole = fc.tuple(fc.constantFrom(...TEMPLATES), seeds).map(([template, numbers]) => {
    let at = 0;
    return template.replaceAll(/%[akvnj]/g, (mark) => {
      const list = FILLERS[mark] ?? [];
      return list[(numbers[at++ % numbers.length] ?? 0) % list.length] ?? "";
    });
  });
  const broken = fc.tuple(whole, fc.nat(60), fc.nat(6), fc.string({ unit: "binary", maxLength: 4 }))
    .map(([line, from, count, extra]) => line.slice(0, from) + extra + line.slice(from + count));
  return fc.oneof({ weight: 4, arbitrary: whole }, { weight: 1, arbitrary: broken })
    .map((line) => line.replaceAll(/[\r\n]/g, " "));
}

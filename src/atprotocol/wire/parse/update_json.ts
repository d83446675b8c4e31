/**
 * Parser of `update:json`: the same command as `update`, as a JSON object. Missing members are as absent options; a null
 * counts as missing. atProtocol specification, Data verbs; our reading of its gaps: PROTOCOL.md. Pure.
 */

import { AtError } from "../at_error.ts";
import { isAtSignText } from "../at_key.ts";
import { isToken, type Metadata, METADATA_FIELDS, parseMetadataJson } from "../metadata.ts";
import type { KeyRef, Verb } from "../verb.ts";
import { MetadataOptions, OptionSet, parseBoolean, syntaxError } from "./_syntax.ts";

const USAGE = 'update:json:{"atKey":"phone.wavi","value":"…","sharedBy":"@alice","metadata":{…}}';
const PKAM_KEY = "privatekey:at_pkam_publickey";

/** Key types that no client may update, by what the key's text begins with. */
const FORBIDDEN_TYPES: ReadonlyMap<string, string> = new Map([
  ["private", "privateKey"],
  ["privatekey", "reservedKey"],
  ["cached", "cachedSharedKey"],
  ["local", "localKey"],
]);

type JsonObject = Readonly<Record<string, unknown>>;

/** @throws {AtError} AT0003, AT0016; AT0011, closing, for text that is no JSON. */
export function parseUpdateJson(rest: string): Verb {
  const object = parseObject(rest);
  const value = object["value"];
  // a line break would end the reply that shows the value; the store would cut it at a NUL
  if (typeof value !== "string" || value === "" || /[\r\n\0]/.test(value)) throw refuse();
  const metadata = object["metadata"] ?? {};
  if (!isJsonObject(metadata)) throw refuse();
  return {
    verb: "update",
    key: readKey(object, parseBoolean(String(metadata["isPublic"])) ?? false),
    value,
    metadata: readMetadata(metadata),
  };
}

function parseObject(rest: string): JsonObject {
  if (!rest.startsWith(":")) throw refuse();
  let value: unknown;
  try {
    value = JSON.parse(rest.slice(1));
  } catch (cause) {
    throw new AtError("AT0011", "update:json is not JSON", { closes: true, cause });
  }
  if (!isJsonObject(value)) throw refuse();
  return value;
}

function readKey(object: JsonObject, isPublic: boolean): KeyRef {
  const entity = textMember(object, "atKey") ?? "";
  if (entity.toLowerCase() === PKAM_KEY) {
    return { cached: false, visibility: "self", entity: PKAM_KEY };
  }
  const type = FORBIDDEN_TYPES.get(/^([a-z]+):/i.exec(entity)?.[1]?.toLowerCase() ?? "");
  if (type !== undefined) {
    throw new AtError("AT0016", `You may not update keys of type KeyType.${type}`);
  }
  const owner = textMember(object, "sharedBy");
  const sharedWith = textMember(object, "sharedWith");
  const isWhole = isToken(entity) &&
    [owner, sharedWith].every((atSign) => atSign === undefined || isAtSignText(withAt(atSign)));
  if (!isWhole || (isPublic && sharedWith !== undefined)) throw refuse();
  return {
    cached: false,
    visibility: isPublic ? "public" : sharedWith === undefined ? "self" : "shared",
    ...(sharedWith === undefined ? {} : { sharedWith: withAt(sharedWith) }),
    entity,
    ...(owner === undefined ? {} : { owner: withAt(owner) }),
  };
}

/** By the rules of the options: the same ranges, and texts that a command could carry. */
function readMetadata(object: JsonObject): Metadata {
  const given = parseMetadataJson(JSON.stringify(object));
  const options = new MetadataOptions(new OptionSet(USAGE));
  for (const name of Object.keys(METADATA_FIELDS) as (keyof Metadata)[]) {
    const value = given[name];
    if (value !== undefined && value !== "") options.take(name, String(value));
  }
  return options.result();
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text member; undefined when it is missing, null or something else. */
function textMember(object: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  return typeof value === "string" ? value : undefined;
}

function withAt(atSign: string): string {
  return atSign.startsWith("@") ? atSign : `@${atSign}`;
}

function refuse(): AtError {
  return syntaxError(USAGE);
}

export * from "./at_error.ts";
export * from "./at_key.ts";
export * from "./at_keys_file.ts";
export * from "./at_sign.ts";
export * from "./directory.ts";
export * from "./encode_verb.ts";
export * from "./line_framer.ts";
export {
  type AllResult,
  encodeAllResult,
  encodeMetadata,
  encodeMetadataJson,
  encodeStoredMetadataJson,
  type Metadata,
  parseAllResult,
  parseMetadataJson,
  type StoredMetadata,
} from "./metadata.ts";
export * from "./notification.ts";
export * from "./parse_verb.ts";
export * from "./reply.ts";
export * from "./timestamp.ts";
export * from "./verb.ts";

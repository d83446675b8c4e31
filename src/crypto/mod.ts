export * from "./aes_text.ts";
export * from "./ctr_stream.ts";
export * from "./digest.ts";
export * from "./ecc.ts";
export * from "./rsa.ts";

export * from "./activation_status.ts";
export * from "./decide.ts";
export * from "./enroll.ts";
export * from "./manager.ts";
export * from "./options.ts";
export * from "./passcodes.ts";
export * from "./show.ts";

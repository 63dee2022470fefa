import { fileURLToPath } from 'node:url';

/** Path of the description of the services of gRPC; the build copies it beside this file. */
export const SHADOW_PROTO = fileURLToPath(new URL('./shadow.proto', import.meta.url));

export { telemetry, type Telemetry, type TelemetryOptions } from './telemetry.js';
export type { Traced } from './traced.js';

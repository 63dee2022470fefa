/**
 * Runs an operation that is to be seen: `run` gets what tells its other side which trace it belongs to, such as
 * `traceparent`, for user properties of MQTT 5; it may be empty.
 * @param name what it does: `shadow.update`
 */
export type Traced = <T>(name: string, run: (context: Readonly<Record<string, string>>) => Promise<T>) => Promise<T>;

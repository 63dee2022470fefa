/** The text of whatever was thrown: its message, or what it prints as. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

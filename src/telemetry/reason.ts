/** The text of a thrown value: the message of an Error, else its string form. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

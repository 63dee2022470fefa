/** The Python that has Paho; null when there is none. */
export function pythonWithPaho(): string | null;

/** The Python that has Paho; null when there is none. */
export function pythonWithPaho(): string | null;
/** The PATH with the folders in which Debian keeps its servers, and which only root has on it. */
export function widePath(path?: string): string;

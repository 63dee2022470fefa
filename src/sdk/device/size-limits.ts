/**
 * Characters up to which reports are merged into one update, and bytes up to which a request is taken to be read: no
 * service has a smaller limit by default, and what it refuses unread for its size gets no answer of its own.
 */
export const MAX_MERGED = 16_384;

/** What one window of one side showed. */
export interface Sample {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Work that can be done for a while, again and again. */
export interface Load {
  run(seconds: number): Promise<Sample>;
  end(): void;
}

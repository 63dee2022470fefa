/** Figures as the report shows them. Of nothing, NaN. */
export const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;

/** `12.3 (11.0 … 14.1)`: the mean of the rounds and their spread; one round has none. */
export function spreadText(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const middle = figure(mean(values));
  return values.length === 1 ? middle : `${middle} (${figure(Math.min(...values))} … ${figure(Math.max(...values))})`;
}

/** Three digits that count; thousands in groups. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return 'none';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en');
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** `1.5 s`, `210 ms`; null: `never`. */
export function duration(ms: number | null): string {
  if (ms === null) return 'never';
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms)} ms`;
}

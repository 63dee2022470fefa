import { createHash } from 'node:crypto';
import type { Signals } from '../telemetry/golden-signals.js';
import { VERSION } from '../telemetry/version.js';
import type { HealthReport } from './health-registry.js';

/** Seconds after which a browser asks again. */
export const REFRESH_SECONDS = 10;
/** Units of a drawing. */
const WIDTH = 600;
const HEIGHT = 120;
/** Seconds from its left to its right. */
const SPAN = 900;

const STYLE = `:root{color-scheme:light dark;font:16px/1.4 system-ui,sans-serif}
body{max-width:76rem;margin:1rem auto;padding:0 1rem}
main{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem}
section{border:1px solid #8886;border-radius:.4rem;padding:.6rem}
h1{font-size:1.3rem}h2{font-size:1rem;margin:0}p{margin:.2rem 0}
svg{width:100%;height:auto;background:#8881}
polyline{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}
.one{stroke:#1a7f37;color:#1a7f37}.two{stroke:#9a6700;color:#9a6700}.three{stroke:#cf222e;color:#cf222e}
.bad{color:#cf222e;font-weight:bold}`;

/** No script, and nothing from elsewhere; the style is the one of the page. */
export const STATUS_POLICY =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface Line {
  readonly name: string;
  readonly of: (signals: Signals) => number | null;
}

const seconds = (value: number): string =>
  value < 1 ? `${(value * 1000).toPrecision(3)} ms` : `${value.toFixed(2)} s`;
const perSecond = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)}/s`;
const percent = (value: number): string => `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;

const CHARTS: readonly { title: string; lines: readonly Line[]; show: (value: number) => string; least: number }[] = [
  {
    title: 'Traffic',
    lines: [
      { name: 'ok', of: ({ ok }) => ok },
      { name: 'refused for the caller', of: ({ refused }) => refused },
    ],
    ...{ show: perSecond, least: 1 },
  },
  {
    title: 'Errors',
    lines: [{ name: 'failed', of: ({ failed, ok, refused }) => (failed > 0 ? failed / (failed + ok + refused) : 0) }],
    ...{ show: percent, least: 0.001 },
  },
  {
    title: 'Latency',
    lines: [
      { name: 'p50', of: ({ p50 }) => p50 },
      { name: 'p99', of: ({ p99 }) => p99 },
    ],
    ...{ show: seconds, least: 0.001 },
  },
  {
    title: 'Saturation',
    lines: [{ name: 'event loop', of: ({ busy }) => busy }],
    ...{ show: percent, least: 1 },
  },
];
const CLASSES = ['one', 'two', 'three'];

/** What a node does, as a page for a browser. @param health null: the node is not known yet */
export function statusPage(nodeId: string, health: HealthReport | null, history: readonly Signals[]): string {
  const name = escapeHtml(nodeId);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Umbra ${name}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Umbra ${name}, ${VERSION}</h1>
<p>${partsOf(health)}</p>
<p>Of this node, the last 15 minutes; ${history.at(-1)?.inFlight ?? 0} requests in flight.</p>
<main>
${CHARTS.map((chart) => chartOf(chart, history)).join('\n')}
</main>
</body>
</html>
`;
}

function partsOf(health: HealthReport | null): string {
  if (health === null) return 'Starting.';
  const parts = Object.entries(health.parts).filter(([, { ok }]) => !ok);
  if (parts.length === 0) return 'Ready.';
  const list = parts.map(([part, { since }]) => `${escapeHtml(part)} (since ${since})`).join(', ');
  return `<span class="bad">Not ready: ${list}.</span>`;
}

function chartOf({ title, lines, show, least }: (typeof CHARTS)[number], history: readonly Signals[]): string {
  const values = lines.flatMap(({ of }) => history.map(of)).filter((value) => value !== null);
  const top = Math.max(least, ...values);
  const said = lines.map(({ name, of }, at) => {
    const last = history.length === 0 ? null : of(history.at(-1)!);
    return `<span class="${CLASSES[at]}">${name} ${last === null ? '-' : show(last)}</span>`;
  });
  const drawn = lines.map(({ of }, at) => `<polyline class="${CLASSES[at]}" points="${pointsOf(history, of, top)}"/>`);
  return `<section>
<h2>${title}</h2>
<p>${said.join(', ')}; at most ${values.length === 0 ? '-' : show(Math.max(...values))}</p>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title} of 15 minutes, up to ${show(top)}">${drawn.join('')}</svg>
</section>`;
}

/** A time without a value is left out: the line goes on behind it. */
function pointsOf(history: readonly Signals[], of: Line['of'], top: number): string {
  return history
    .flatMap((signals) => {
      const value = of(signals);
      if (value === null) return [];
      const x = WIDTH * (1 - signals.ago / SPAN);
      return [`${x.toFixed(1)},${(HEIGHT * (1 - value / top)).toFixed(1)}`];
    })
    .join(' ');
}

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

import type { Surroundings } from '../../harness/documented-code.js';

const ACCESS_KEY = `
const [accessKeyId, secretAccessKey] = process.env['UMBRA_ACCESS_KEY']!.split(' ') as [string, string];`;
const DRIVE = `
const drive = (delta: object): Promise<void> => Promise.resolve(console.log('drives', Object.keys(delta).join()));`;

/** What the examples of the client library and of streams take for granted, and what the tests look at. */
export const SURROUNDINGS: Surroundings = {
  'aws-application': { before: ACCESS_KEY },
  'own-application': { before: ACCESS_KEY },
  'aws-device-v2': { before: DRIVE },
  'aws-device-v1': { before: DRIVE },
  'own-device': { before: DRIVE },
  'quick-start': { after: `await device.close();` },
  application: {
    before: `
import type { Change } from '@umbra/client';
const ending = new AbortController();
const { signal } = ending;
async function handle({ thing, isInitial }: Change<Lamp>): Promise<void> {
  console.log('handled', thing, isInitial);
  ending.abort();
}`,
    after: `umbra.close();`,
  },
  session: {
    after: `
console.log(auth.state, (await umbra.thing('lamp-1').shadow().get())?.thing, auth.state);
umbra.close();`,
  },
  device: {
    before: `
import { readFileSync } from 'node:fs';
interface Lamp { power: 'on' | 'off'; level: number }
const [cert, key, ca] = ['device.crt', 'device.key', 'ca.crt'].map((file) => readFileSync(file, 'utf8'));
async function drive(delta: object, signal: AbortSignal): Promise<void> {
  console.log('drives', Object.keys(delta).join(), signal.aborted);
}`,
    after: `console.log('reported', (await device.shadow.get())?.reported.power);`,
  },
  login: { before: `import { Umbra } from '@umbra/client';` },
  tls: {
    before: `
import { readFileSync } from 'node:fs';
import { bearer, Umbra } from '@umbra/client';
const [cert, key, ca] = ['device.crt', 'device.key', 'ca.crt'].map((file) => readFileSync(file, 'utf8')) as [
  string, string, string,
];
const url = process.env['UMBRA_HTTPS']!;
const auth = bearer(process.env['UMBRA_SECRET']!);`,
    after: `
for (const client of [device, dash]) console.log((await client.thing('lamp-1').shadow().get())?.thing);`,
  },
  telemetry: {
    before: `import { Umbra } from '@umbra/client';`,
    after: `
console.log((await umbra.thing('lamp-1').shadow().get())?.thing);
umbra.close();`,
  },
  'event-source': {
    before: `
const show = ({ thing, document }) => console.log('shown', thing, document.version);
const reload = () => console.log('reload');`,
  },
  'web-socket': {
    before: `
const token = process.env.UMBRA_SECRET;
const show = async ({ thing, document }) => console.log('shown', thing, document.version);`,
  },
  chain: {
    before: `
import { bearer, retry, Umbra, type Link } from '@umbra/client';
const counted: string[] = [];
const sites: string[] = [];
const umbra = new Umbra({
  url: 'https://umbra.example',
  auth: bearer(process.env['UMBRA_SECRET']!),
  fetch(url, init) {
    sites.push(String(new Headers(init.headers).get('x-site')));
    return fetch(url, init);
  },
});
const ownRetry: Link = (call, next) => next({ ...call, headers: { ...call.headers, 'x-own': '1' } });
const countCalls: Link = (call, next) => {
  counted.push(call.name);
  return next(call);
};`,
    after: `
await umbra.thing('lamp-1').shadow().get();
console.log(counted.join(), sites.join());`,
  },
};

import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { spawn, type ChildProcess } from 'node:child_process';
import { documentedCode, documentedCommands, programOf, runnable, type Example } from '../harness/documented-code.js';
import { SURROUNDINGS } from '../cases/examples/client-library.js';
import { describeInBrowser, startBrowser, type Browser, type Page } from '../harness/browser.js';
import { CertifiedNode } from '../harness/certified-node.js';
import { startExamplePage } from '../harness/example-pages.js';
import { installPackages, type Project } from '../harness/installed-packages.js';
import { startOpenNode, type OpenNode } from '../harness/open-node.js';
import type { PageServer } from '../harness/page-server.js';
import { freePort } from '../harness/ports.js';
import { until } from '../harness/until.js';
import * as x509 from '../harness/x509.js';

const EXAMPLES = ['README.md', 'docs/sdk.md', 'docs/coming-from-the-aws-sdk.md'].flatMap((page) =>
  documentedCode(page, SURROUNDINGS),
);
const AWS = ['@aws-sdk/client-iot-data-plane', 'aws-iot-device-sdk-v2', 'aws-iot-device-sdk'];
const STREAMS = documentedCode('docs/streams.md', SURROUNDINGS);
const ENTRIES = ['.', './auth', './device', './redis', './telemetry', './testing'];
const PEERS: Record<string, string[]> = { './device': ['mqtt'], './telemetry': ['@opentelemetry/api'] };
/** Devices of the page about the AWS SDKs, and the application that each of them is tried with. */
const DEVICES = [
  ['aws-device-v2', 'own-application'],
  ['aws-device-v1', 'aws-application'],
  ['own-device', 'aws-application'],
] as const;
let project: Project;

interface Device {
  readonly process: ChildProcess;
  /** What it has written. */
  said: string;
}

beforeAll(async () => {
  project = await installPackages();
  project.link('mqtt', '@opentelemetry/api', '@types/node', ...AWS);
});
afterAll(() => project.remove());

describe('the packages, installed from their archives alone', () => {
  it('have entries that leave nothing behind when they are imported', async () => {
    writeFileSync(join(project.folder, 'import.mjs'), IMPORT);
    for (const entry of ENTRIES) {
      // What peers leave behind is not ours.
      const out = await project.run('node', ['import.mjs', join('@umbra/client', entry), ...(PEERS[entry] ?? [])]);
      const { globals, resources, listeners, names } = JSON.parse(out) as Record<string, string[]>;
      expect([entry, globals, resources, listeners]).toEqual([entry, [], [], []]);
      expect(names!.length).toBeGreaterThan(0);
    }
  });

  it('have a command', async () => {
    expect(await project.run('node_modules/.bin/umbra', ['--help'])).toMatch(/^Usage: umbra /);
  });

  it.each([
    [
      'a page',
      // Our own types are judged too; those of mqtt.js need some that only pages have.
      { module: 'esnext', moduleResolution: 'bundler', types: [], skipDefaultLibCheck: true },
      ENTRIES.filter((each) => each !== './device'),
      [],
    ],
    [
      'Node',
      { module: 'nodenext', moduleResolution: 'nodenext', types: ['node'], skipLibCheck: true },
      ENTRIES,
      EXAMPLES,
    ],
  ])('have types for %s', async (name, options, entries, examples: readonly Example[]) => {
    const files = new Map(examples.map((each) => [`${each.name}.${each.language}`, programOf(each)]));
    files.set(
      'entries.ts',
      entries.map((each, at) => `export * as entry${at} from '${join('@umbra/client', each)}';`).join('\n'),
    );
    for (const [file, text] of files) writeFileSync(join(project.folder, file), text);
    const lib = ['es2022', 'dom', 'dom.iterable'];
    const compilerOptions = {
      target: 'es2022',
      lib,
      strict: true,
      noEmit: true,
      skipDefaultLibCheck: true,
      ...options,
    };
    const config = join(project.folder, `${name.replace(' ', '-')}.json`);
    writeFileSync(
      config,
      JSON.stringify({ compilerOptions, files: [...files.keys()].filter((file) => file.endsWith('.ts')) }),
    );
    await project.run('node', [resolve('node_modules/typescript/bin/tsc'), '-p', config]);
  });
});

describe('the examples of the documentation', () => {
  let open: OpenNode;
  let guarded: CertifiedNode;
  let secret: string;
  /** Of the certificate of the node with TLS. */
  let pin: string;
  /** Id and secret. */
  let accessKey: string;
  const devices: Device[] = [];

  beforeAll(async () => {
    const port = String(await freePort());
    const issuer = x509.issueAuthority();
    const extensions = [x509.alternativeNames(x509.dnsName('localhost'))];
    const own = x509.issue(issuer, { subject: x509.nameOf(x509.cn('localhost')), extensions });
    writeFileSync(join(project.folder, 'ca.crt'), issuer.pem);
    const files = { UMBRA_TLS_CERT: join(project.folder, 'node.crt'), UMBRA_TLS_KEY: join(project.folder, 'node.key') };
    writeFileSync(files.UMBRA_TLS_CERT, own.pem);
    writeFileSync(files.UMBRA_TLS_KEY, own.key);
    const spki = own.publicKey.export({ type: 'spki', format: 'der' });
    pin = createHash('sha256').update(spki).digest('base64');
    open = await startOpenNode();
    guarded = await CertifiedNode.start({
      environment: { ...files, UMBRA_HTTP_PORT: port, UMBRA_AUTH_ISSUER: `http://127.0.0.1:${port}` },
    });
    guarded.node.clock.set(Date.now());
    const authority = guarded.authority();
    await guarded.register(authority, { registersAtFirstSight: true });
    for (const thing of ['lamp-1', ...DEVICES.map(([name]) => name)]) {
      const { pem, key } = guarded.device(authority, thing);
      const file = join(project.folder, thing === 'lamp-1' ? 'device' : thing);
      writeFileSync(`${file}.crt`, pem);
      writeFileSync(`${file}.key`, key);
    }
    secret = await guarded.node.make('dash', { roles: ['service'] });
    const { body } = await guarded.node.ask('POST', '/v1/principals/dash/keys', guarded.node.admin, { kind: 'aws' });
    const made = body as { id: string; secret: string };
    accessKey = `${made.id} ${made.secret}`;
  });
  afterAll(async () => {
    for (const { process } of devices) process.kill();
    await open.stop();
    await guarded.stop();
  });

  /** What a program comes to that follows changes from the present on: some come until it ends. */
  async function whileChanging<T>(program: Promise<T>): Promise<T> {
    let isRunning = true;
    const ended = program.finally(() => (isRunning = false));
    const body = { state: { reported: { level: 1 } } };
    await until('the program has handled a change', async () => {
      await guarded.node.ask('PATCH', '/v1/things/lamp-2/shadow', guarded.node.admin, body);
      return !isRunning;
    });
    return ended;
  }

  const exampleOf = (name: string): Example => EXAMPLES.find((each) => each.name === name)!;

  describe('in Node', () => {
    /** The program of an example, as a file beside the packages. @param thing instead of lamp-1 */
    async function written(name: string, thing = 'lamp-1'): Promise<string> {
      const ofThing = { "'lamp-1'": `'${thing}'`, 'device.crt': `${thing}.crt`, 'device.key': `${thing}.key` };
      const addresses = {
        ...(thing !== 'lamp-1' && ofThing),
        ...{ 'mqtt://127.0.0.1:1883': open.mqttUrl, 'http://127.0.0.1:8080': open.url },
        'mqtts://umbra.example': guarded.node.mqttsUrl!.replace('127.0.0.1', 'localhost'),
        'https://umbra.example': guarded.node.url,
        ...{ "'umbra.example'": "'localhost'", 8883: new URL(guarded.node.mqttsUrl!).port },
        '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=': pin,
      };
      const file = `${name}-${thing}.mjs`;
      writeFileSync(join(project.folder, file), await runnable(exampleOf(name), addresses));
      return file;
    }
    const runs = async (name: string, thing?: string): Promise<string> =>
      project.run('node', [await written(name, thing)], {
        ...{ UMBRA_SECRET: secret, UMBRA_ACCESS_KEY: accessKey },
        UMBRA_HTTPS: guarded.node.httpsUrl!.replace('127.0.0.1', 'localhost'),
      });

    /** Begins a device, which stays until the end of all tests. Resolves when it has reported that it is off. */
    async function starts(name: string, thing?: string): Promise<Device> {
      const file = await written(name, thing);
      const child = spawn('node', [file], { cwd: project.folder, stdio: ['ignore', 'pipe', 'inherit'] });
      const device: Device = { process: child, said: '' };
      child.stdout.setEncoding('utf8').on('data', (text: string) => (device.said += text));
      devices.push(device);
      await until('the device has reported', async () => {
        if (child.exitCode !== null) throw new Error(`${name} has ended`);
        return (await reportedOf(thing))?.power === 'off';
      });
      return device;
    }
    async function reportedOf(thing = 'lamp-1'): Promise<{ power?: string } | undefined> {
      const { body } = await guarded.node.ask('GET', `/v1/things/${thing}/shadow`, guarded.node.admin);
      return (body as { state?: { reported?: object } }).state?.reported;
    }

    it('device: reports at once', async () => {
      const { process } = await starts('device');
      expect(process.exitCode).toBe(null);
    });

    it('quick-start of the shell: whoever subscribes sees what is desired and not reported', async () => {
      const commands = documentedCommands('README.md', 'quick-start')
        .replaceAll('-p 1883', `-p ${new URL(open.mqttUrl).port}`)
        .replaceAll('http://127.0.0.1:8080', open.url);
      const shell = spawn('sh', ['-e'], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
      let seen = '';
      shell.stdout.setEncoding('utf8').on('data', (text: string) => (seen += text));
      shell.stdin.end(commands);
      const delta = /[$]aws\/things\/lamp\/shadow\/update\/delta .*"state":\{"power":"on"\}/;
      try {
        await until(
          () => `a delta in ${seen}`,
          () => delta.test(seen),
        );
      } finally {
        // mosquitto_sub runs on in its group.
        process.kill(-shell.pid!, 'SIGKILL');
      }
    });

    it('quick-start: a device does what is desired', async () => {
      expect(await runs('quick-start')).toBe("{ power: 'on' }\n");
    });

    it('application: desired is met, and changes are followed', async () => {
      expect(await whileChanging(runs('application'))).toBe('null\nhandled lamp-2 false\n');
      await until('the device has driven', () => devices[0]!.said.includes('level'));
      expect(devices[0]!.said).toBe('reported off\ndrives power false\ndrives level false\n');
      expect(existsSync(join(project.folder, 'cursor'))).toBe(true);
    });

    it('session: tokens come by themselves', async () => {
      expect(await runs('session')).toBe('idle lamp-1 idle\n');
    });

    it('tls: a certificate, and the key of the node', async () => {
      expect(await runs('tls')).toBe('lamp-1\nlamp-1\n');
    });

    it.each(DEVICES)('%s: does what an application desires by %s', async (name, application) => {
      const device = await starts(name, name);
      expect(await runs(application, name)).toBe('done\n');
      expect(await reportedOf(name)).toEqual({ power: 'on' });
      await until('the device has driven', () => device.said === 'drives power\n');
    });

    it('telemetry: without an SDK it records nothing', async () => {
      expect(await runs('telemetry')).toBe('lamp-1\n');
    });

    it('chain: links see calls in their order', async () => {
      expect(await runs('chain')).toBe('shadow.get north\n');
    });
  });

  describeInBrowser('in Chromium', () => {
    let browser: Browser;
    const servers: PageServer[] = [];
    const pages: Page[] = [];

    beforeAll(async () => {
      browser = await startBrowser();
      const [source, socket] = STREAMS as [Example, Example];
      servers.push(await startExamplePage(project.folder, open.url, [exampleOf('quick-start'), source]));
      const examples = [exampleOf('application'), exampleOf('session'), socket];
      servers.push(await startExamplePage(project.folder, guarded.node.url, examples, secret));
      for (const { url } of servers) pages.push(await browser.open(url));
    });
    afterEach(() => expect(pages.flatMap(({ exceptions }) => exceptions)).toEqual([]));
    afterAll(async () => {
      await browser.stop();
      for (const each of servers) await each.stop();
    });

    /** What an example has said, run to its end. */
    const runs = (page: Page, name: string): Promise<string[]> =>
      page.evaluate(`run('${name}').then(() => said.splice(0))`);
    const hears = (page: Page, line: string): Promise<true> =>
      until(line, () => page.evaluate<boolean>(`said.some((each) => each.startsWith('${line}'))`));

    it('quick-start: a page is a device, by MQTT over WebSocket, and an application', async () => {
      expect(await runs(pages[0]!, 'quick-start')).toEqual(['{"power":"on"}']);
    });

    it('application: desired is met, and changes are followed', async () => {
      expect(await whileChanging(runs(pages[1]!, 'application'))).toEqual(['null', 'handled lamp-2 false']);
      expect(await pages[1]!.evaluate(`localStorage.getItem('./cursor')`)).toMatch(/./);
    });

    it('session: tokens come by themselves', async () => {
      expect(await runs(pages[1]!, 'session')).toEqual(['idle lamp-1 idle']);
    });

    it('event-source: the EventSource of the browser follows', async () => {
      await runs(pages[0]!, 'event-source');
      await fetch(`${open.url}/v1/things/door/shadow`, { method: 'PATCH', body: '{"state":{"desired":{"lock":1}}}' });
      await hears(pages[0]!, 'shown door 1');
    });

    it('web-socket: the WebSocket of the browser follows, and says who it is by its sub-protocol', async () => {
      await runs(pages[1]!, 'web-socket');
      await hears(pages[1]!, 'shown lamp-1 ');
      const state = { desired: { lock: 1 } };
      await guarded.node.ask('PATCH', '/v1/things/door/shadow', guarded.node.admin, { state });
      await hears(pages[1]!, 'shown door 1');
    });
  });
});

/** Prints what has changed in the process by an import. */
const IMPORT = `
const state = () => ({
  globals: Object.getOwnPropertyNames(globalThis),
  resources: process.getActiveResourcesInfo(),
  listeners: process.eventNames().map((name) => String(name) + process.listenerCount(name)),
});
for (const peer of process.argv.slice(3)) await import(peer);
const before = state();
const names = Object.keys(await import(process.argv[2]));
const after = state();
const more = Object.keys(before).map((key) => [key, after[key].filter((each) => !before[key].includes(each))]);
console.log(JSON.stringify({ names, ...Object.fromEntries(more) }));
`;

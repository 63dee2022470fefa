import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scriptedFetch } from '../../sdk/testing/index.js';
import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';
import { PolicyService, problem } from '../testing/policy-service.js';

const documentOf = (...actions: string[]) => ({
  Version: '2012-10-17',
  Statement: [{ Sid: 'Use', Effect: 'Allow', Action: actions, Resource: 'arn:aws:iot:*:*:thing/lamp' }],
});
const READ = documentOf('iot:GetThingShadow');
const WRITE = documentOf('iot:GetThingShadow', 'iot:UpdateThingShadow');

let commands: Commands;
let service: PolicyService;
beforeEach(async () => {
  commands = new Commands();
  service = new PolicyService();
  await commands.run('context set home --server http://umbra.test');
});
afterEach(() => commands.remove());

/** Runs a command with a file, whose path stands for FILE in it. */
const withFile = (line: string, content: unknown, name = 'lamp.json') => {
  const file = join(commands.home, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  return commands.run(line.replace('FILE', file), { fetch: service.fetch });
};
const ask = (line: string, given = {}) => commands.run(line, { fetch: service.fetch, ...given });

describe('policy list and get', () => {
  it('show policies with their versions', async () => {
    service.with('lamp', READ, WRITE);
    const { stdout } = await ask('policy list');
    expect(stdout.split('\n').slice(1, 3)).toEqual([
      'role:viewer  1                 built in',
      'lamp         2        day 2    ada',
    ]);
    expect((await ask('policy list --json')).json).toMatchObject([{ builtIn: true }, { policy: 'lamp', version: 2 }]);
    expect((await ask('policy get lamp')).stdout).toContain('version  2  day 2  ada  (counts)\n{\n  "Version"');
    const got = await ask('policy get lamp --document');
    expect(JSON.parse(got.stdout)).toEqual(WRITE);
    expect(await ask('policy get desk')).toMatchObject({ exit: EXIT.notFound, stdout: '' });
  });

  it('say that a node without credentials has no policies', async () => {
    const { exit, stderr } = await ask('policy list --tenant acme');
    expect(exit).toBe(EXIT.notFound);
    expect(stderr).toContain('the service has no /v1/tenants/acme/policies');
  });

  it('are about the tenant of the context, or of the command', async () => {
    await commands.run('context set home --tenant acme');
    await ask('policy list');
    await ask('policy get a/b --tenant other');
    expect(service.fetch.sent.map(({ url }) => new URL(url).pathname)).toEqual([
      '/v1/tenants/acme/policies',
      '/v1/tenants/other/policies/a%2Fb',
    ]);
  });
});

describe('policy apply', () => {
  it('creates, replaces and leaves alone, and sends the text as it was written', async () => {
    expect(await withFile('policy apply FILE', READ)).toMatchObject({
      exit: EXIT.done,
      stdout: 'policy lamp is created, version 1\n',
    });
    expect(service.textOf('lamp')).toBe(JSON.stringify(READ, null, 2));
    expect((await withFile('policy apply FILE --json', WRITE)).json).toEqual([
      { policy: 'lamp', change: 'replaced', version: 2, dryRun: false, notes: [] },
    ]);
    const reordered = { Statement: WRITE.Statement, Version: WRITE.Version };
    expect((await withFile('policy apply FILE', reordered)).stdout).toBe('policy lamp is so already\n');
    expect(service.changes).toEqual(['PUT /v1/policies/lamp', 'PUT /v1/policies/lamp']);
  });

  it('says with --dry-run what would change, and changes nothing', async () => {
    service.with('lamp', READ);
    const { stdout } = await withFile('policy apply FILE --dry-run', WRITE);
    expect(stdout).toContain('\n+         "iot:UpdateThingShadow"\n');
    expect(stdout).toContain('\npolicy lamp would be replaced\n');
    const dry = await withFile('policy apply FILE --dry-run --json --name new', WRITE);
    expect(dry.json).toMatchObject([{ policy: 'new', change: 'created', version: null, dryRun: true }]);
    expect(service.changes).toEqual([]);
  });

  it('takes what get prints, and several files, which are checked before the first is sent', async () => {
    service.with('lamp', READ);
    const got = await ask('policy get lamp --json');
    await withFile('policy apply FILE --name copy', got.stdout, 'any.json');
    expect(JSON.parse(service.textOf('copy')!)).toEqual(READ);
    const bad = join(commands.home, 'bad.json');
    writeFileSync(bad, '{}');
    const two = await withFile(`policy apply FILE ${bad}`, WRITE);
    expect([two.exit, two.stderr]).toEqual([
      EXIT.usage,
      `umbra: ${bad}:1:1: Version: must be "2012-10-17"\n${bad}:1:1: Statement: is missing\n`,
    ]);
    expect(service.changes).toEqual(['PUT /v1/policies/copy']);
  });

  it('tells all faults of a file by their places, and sends nothing', async () => {
    const text = `{
  "Version": "2008-10-17",
  "Statement": [
    { "Effect": "allow", "Action": ["iot:Publish", "publish", 7], "Resource": "lamp",
      "Condition": { "StringEquals": { "aws:Nobody": "x" }, "Sounds": { "umbra:Tenant": 1 } }, "Who": 1 },
    { "Effect": "Deny", "Action": "umbra:Wach" }
  ]
}`;
    const { exit, stderr } = await withFile('policy apply FILE', text);
    expect(exit).toBe(EXIT.usage);
    const file = join(commands.home, 'lamp.json');
    const places = stderr.split('\n').map((line) => line.replace('umbra: ', '').replace(file, ''));
    expect(places.filter(Boolean)).toEqual([
      ':2:14: Version: must be "2012-10-17"',
      ':4:17: Statement[0].Effect: must be "Allow" or "Deny"',
      ':4:52: Statement[0].Action[1]: "publish" is no action; write one as in "iot:Publish", or "*"',
      ':4:63: Statement[0].Action[2]: must be a string',
      expect.stringMatching(/^:4:79: Statement\[0\].Resource: "lamp" is no ARN/),
      ':5:54: Statement[0].Condition.StringEquals.aws:Nobody: the key is unknown',
      ':5:71: Statement[0].Condition.Sounds: the operator "Sounds" is unknown',
      ':5:103: Statement[0].Who: is unknown here; there are Sid, Effect, Action, Resource, Condition',
      ':6:5: Statement[1].Resource: is missing',
      expect.stringMatching(/^:6:35: Statement\[1\].Action: the action "umbra:Wach" is unknown/),
    ]);
    expect(service.fetch.sent).toEqual([]);
  });

  it.each([
    ['{"Version": }', ':1:13: value expected'],
    ['[]', ':1:1: must be an object'],
    ['{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Effect":"Deny"}]}', ':1:56: the member "Effect"'],
    [JSON.stringify({ ...READ, Id: 'x'.repeat(16_384) }), ':1:1: the document has more than 16384 bytes'],
    [`{"a": ${'['.repeat(100_000)}`, ': has more than 1000 levels'],
  ])('refuses %.40s', async (text, message) => {
    const { exit, stderr } = await withFile('policy apply FILE', text);
    expect([exit, service.fetch.sent]).toEqual([EXIT.usage, []]);
    expect(stderr).toContain(join(commands.home, 'lamp.json') + message);
  });

  it.each([
    ['policy apply FILE FILE', 2, 'another file has the policy lamp too'],
    ['policy apply FILE --name role:viewer', 2, 'is built in'],
    ['policy apply FILE other.json --name x', 2, '--name is for one file'],
    ['policy apply - --key-file -', 2, 'stdin cannot be both'],
  ])('%s ends with %d', async (line, exit, message) => {
    const ended = await withFile(line.replace('FILE FILE', `FILE ${join(commands.home, 'lamp.json')}`), READ);
    expect([ended.exit, service.changes]).toEqual([exit, []]);
    expect(ended.stderr).toContain(message);
  });

  it('takes stdin, which has no name', async () => {
    const stdin = JSON.stringify(READ);
    expect((await ask('policy apply -', { stdin })).stderr).toContain('needs its name');
    expect(await ask('policy apply - --name lamp', { stdin })).toMatchObject({ exit: EXIT.done });
  });

  it('ends with a conflict if somebody else was faster', async () => {
    const lost = scriptedFetch(({ method }) =>
      method === 'GET' ? problem(404, 'no-record') : problem(412, 'precondition-failed'),
    );
    const file = join(commands.home, 'lamp.json');
    writeFileSync(file, JSON.stringify(READ));
    expect(await commands.run(`policy apply ${file}`, { fetch: lost })).toMatchObject({ exit: EXIT.conflict });
  });
});

describe('policy diff', () => {
  it('shows what differs', async () => {
    service.with('lamp', READ);
    const { exit, stdout } = await withFile('policy diff FILE', WRITE);
    expect([exit, stdout.split('\n').filter((line) => /^[-+]/.test(line))]).toEqual([
      EXIT.done,
      [`- version 1 of lamp`, `+ ${join(commands.home, 'lamp.json')}`, '+         "iot:UpdateThingShadow"'],
    ]);
    expect((await withFile('policy diff FILE --json', WRITE)).json).toEqual([
      { policy: 'lamp', version: 1, differences: [{ path: '/Statement/0/Action/1', after: 'iot:UpdateThingShadow' }] },
    ]);
    expect(await withFile('policy diff FILE --exit-code', WRITE)).toMatchObject({ exit: EXIT.failed });
    expect(await withFile('policy diff FILE --exit-code', READ)).toMatchObject({ exit: EXIT.done });
    expect((await withFile('policy diff FILE --name new', READ)).stdout).toContain('there is no policy new yet\n+ {');
  });
});

it('differences are coloured on a terminal', async () => {
  service.with('lamp', READ);
  const file = join(commands.home, 'lamp.json');
  writeFileSync(file, JSON.stringify(WRITE));
  const { stdout } = await ask(`policy diff ${file}`, { terminal: true });
  expect(stdout).toContain('\x1b[32m+         "iot:UpdateThingShadow"\x1b[0m\n');
});

describe('policy import', () => {
  const aws = (document: string, more = {}) =>
    JSON.stringify({ policyName: 'Lamp', policyDocument: document, ...more });

  it('takes what the command line of AWS prints', async () => {
    const document = JSON.stringify(READ);
    expect(await withFile('policy import FILE', aws(document))).toMatchObject({ exit: EXIT.done });
    expect(service.textOf('Lamp')).toBe(document);
    const arn = { policyName: undefined, policyArn: 'arn:aws:iot:eu-west-1:123456789012:policy/ByArn' };
    await withFile('policy import FILE --json', aws(document, arn));
    await withFile('policy import FILE', READ, 'plain.json');
    expect(service.changes.slice(1)).toEqual(['PUT /v1/policies/ByArn', 'PUT /v1/policies/plain']);
  });

  it('tells what cannot be translated by its place within the text, and imports nothing', async () => {
    const document =
      '{"Version":"2012-10-17",\n"Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${nobody}"}}';
    const { exit, stderr } = await withFile('policy import FILE', aws(document));
    const column = aws(document).indexOf('\\"arn:') + 1;
    expect([exit, stderr]).toEqual([
      EXIT.usage,
      `umbra: ${join(commands.home, 'lamp.json')}:1:${column}: Statement.Resource: the variable "nobody" is unknown\n`,
    ]);
    expect(service.fetch.sent).toEqual([]);
  });

  it('names what has no effect, and replaces nothing unasked', async () => {
    const document = JSON.stringify(documentOf('iot:GetThingShadow', 'iot:StartNextPendingJobExecution'));
    const { stdout } = await withFile('policy import FILE', aws(document));
    expect(stdout).toMatch(
      /^note: .*lamp\.json:1:\d+: Statement\[0\]\.Action\[1\]: "iot:StartNext.*" has no effect here$/m,
    );
    expect(await withFile('policy import FILE', aws(document))).toMatchObject({ exit: EXIT.done });
    const changed = aws(JSON.stringify(READ));
    expect(await withFile('policy import FILE', changed)).toMatchObject({ exit: EXIT.conflict });
    expect(await withFile('policy import FILE --replace', changed)).toMatchObject({ exit: EXIT.done });
    expect(service.changes).toHaveLength(2);
  });
});

describe('policy rollback and delete', () => {
  it('makes an earlier version count, and shows what that changes', async () => {
    service.with('lamp', READ, WRITE, READ, WRITE);
    const { stdout } = await ask('policy rollback lamp');
    expect(stdout).toContain('-         "iot:UpdateThingShadow"');
    expect(stdout).toContain('version 3 of lamp counts, instead of 4\n');
    expect((await ask('policy rollback lamp --to 1 --json')).json).toMatchObject([{ version: 1 }]);
    expect((await ask('policy rollback lamp')).stderr).toContain('has no version before 1');
    expect((await ask('policy rollback lamp --to 9')).stderr).toContain('has no version 9; it has 1, 2, 3, 4');
    const exits = [];
    for (const line of ['lamp --to 1', 'lamp --to 0', 'role:viewer', 'desk'])
      exits.push((await ask(`policy rollback ${line}`)).exit);
    expect(exits).toEqual([2, 2, 2, 5]);
  });

  it('deletes after a question', async () => {
    service.with('lamp', READ);
    expect(await ask('policy delete lamp')).toMatchObject({ exit: EXIT.usage });
    expect(await ask('policy delete lamp --yes')).toMatchObject({ stdout: 'policy lamp is deleted\n' });
    expect(await ask('policy delete lamp --yes')).toMatchObject({ exit: EXIT.notFound });
    expect(service.changes).toEqual(['DELETE /v1/policies/lamp']);
  });
});

describe('policy explain', () => {
  const explained = (more: object) =>
    scriptedFetch(() => {
      const [source] = READ.Statement;
      const by = { policy: 'lamp', statement: 0, source };
      return new Response(JSON.stringify({ effect: 'allow', ...by, active: true, permissions: [by], ...more }));
    });
  const question = 'policy explain ada iot:GetThingShadow thing/lamp';

  it('says which statement decides', async () => {
    const fetch = explained({});
    const { stdout } = await commands.run(`${question} --client-id c --address 192.0.2.1 --all`, { fetch });
    expect(stdout).toMatch(/^allowed by the policy lamp, statement 0 \(Use\)\n\{\n {2}"Sid"/);
    expect(stdout).toMatch(/Allow +lamp +0 \(Use\) +iot:GetThingShadow +arn:/);
    expect(JSON.parse(fetch.sent[0]!.body!)).toEqual({
      ...{ principal: 'ada', action: 'iot:GetThingShadow', resource: 'thing/lamp' },
      ...{ clientId: 'c', address: '192.0.2.1' },
    });
  });

  it.each([
    [{ effect: 'deny' }, 'denied by the policy lamp'],
    [{ effect: 'none', policy: null, statement: null, source: null }, 'not allowed: no statement allows it\n'],
    [{ active: false }, 'not allowed: the principal or its tenant is disabled'],
  ])('%j is no', async (more, text) => {
    const fetch = explained(more);
    const { exit, stdout } = await commands.run(question, { fetch });
    expect([exit, stdout.startsWith(text)]).toEqual([EXIT.done, true]);
    const asJson = await commands.run(`${question} --json --exit-code`, { fetch });
    expect([asJson.exit, asJson.json]).toMatchObject([EXIT.notAllowed, [{ allowed: false }]]);
  });
});

import { MAX_DOCUMENT_BYTES, parsePolicyDocument } from './policy-document.js';

const ALLOW = { Effect: 'Allow', Action: 'iot:Publish', Resource: '*' };
const text = (statement: unknown): string => JSON.stringify({ Version: '2012-10-17', Statement: statement });
const statement = (members: object): string => text([ALLOW, { ...ALLOW, ...members }]);
const condition = (value: unknown): string => statement({ Condition: value });

function refusalOf(document: string): string {
  try {
    parsePolicyDocument(document);
  } catch (error) {
    return `${(error as Error).name} ${(error as Error).message}`;
  }
  return 'accepted';
}

describe('a document is refused with its place', () => {
  it.each([
    ['', 'the document is no JSON: line 1, column 1: expected a value, found the end'],
    ['{"Version": }', 'the document is no JSON: line 1, column 13: expected a value, found "}"'],
    ['[]', 'must be an object'],
    ['null', 'must be an object'],
    ['{"Statement": []}', 'Version: must be "2012-10-17"'],
    ['{"Version": "2008-10-17", "Statement": []}', 'Version: must be "2012-10-17"'],
    ['{"Version": "2012-10-17"}', 'Statement: is missing'],
    ['{"Version": "2012-10-17", "Statment": []}', 'Statment: is unknown here; there are Version, Id, Statement'],
    ['{"Version": "2012-10-17", "__proto__": []}', '__proto__: is unknown here; there are Version, Id, Statement'],
    [text([]), 'Statement: must not be empty'],
    [text('x'), 'Statement: must be an object'],
    [text([ALLOW, 7]), 'Statement[1]: must be an object'],
    [statement({ Effect: 'allow' }), 'Statement[1].Effect: must be "Allow" or "Deny"'],
    [statement({ Effect: undefined }), 'Statement[1].Effect: must be "Allow" or "Deny"'],
    [statement({ Sid: 1 }), 'Statement[1].Sid: must be a string'],
    [
      statement({ NotAction: 'iot:*' }),
      'Statement[1].NotAction: is unknown here; there are Sid, Effect, Action, Resource, Condition',
    ],
    [statement({ Action: undefined }), 'Statement[1].Action: is missing'],
    [statement({ Action: [] }), 'Statement[1].Action: must not be empty'],
    [statement({ Action: ['iot:Publish', 1] }), 'Statement[1].Action[1]: must be a string'],
    [
      statement({ Action: 'Publish' }),
      'Statement[1].Action: "Publish" is no action; write one as in "iot:Publish", or "*"',
    ],
    [
      statement({ Action: 'umbra:Wach' }),
      'Statement[1].Action: the action "umbra:Wach" is unknown; with this prefix there are umbra:Watch, umbra:ListThings, umbra:GetThing, umbra:DeleteThing, umbra:GetPresence, umbra:Transact, umbra:Lease, umbra:Admin*',
    ],
    [
      statement({ Resource: ['*', 'topic/x'] }),
      'Statement[1].Resource[1]: "topic/x" is no ARN; write "arn:aws:iot:region:account:topic/…" or "*"',
    ],
    [
      statement({ Resource: 'arn:aws:iot:r:${iot:ClientId}:topic/x' }),
      'Statement[1].Resource: variables can stand behind the account of an ARN only',
    ],
    [
      statement({ Resource: 'arn:aws:iot:r:a:topic/${iot:Clientid}${iot:Client}' }),
      'Statement[1].Resource: the variable "iot:Client" is unknown',
    ],
    [
      statement({ Resource: 'arn:aws:iot:r:a:topic/${iot:ClientId' }),
      'Statement[1].Resource: a variable has no end in "${iot:ClientId"; write ${name}',
    ],
    [
      statement({ Resource: 'arn:aws:iot:r:a:topic/${aws:CurrentTime}' }),
      'Statement[1].Resource: "aws:CurrentTime" can be used as the key of a condition only',
    ],
    [
      statement({ Resource: `arn:aws:iot:r:a:topic/*${'?'.repeat(65)}*` }),
      'Statement[1].Resource: a part between two "*" that has a "?" may have at most 64 characters and no variable',
    ],
    [
      statement({ Resource: `arn:aws:iot:r:a:topic/${'x'.repeat(2048)}` }),
      'Statement[1].Resource: is longer than 2048 characters',
    ],
    [condition([]), 'Statement[1].Condition: must be an object'],
    [condition({ Foo: { 'iot:ClientId': 'x' } }), 'Statement[1].Condition.Foo: the operator "Foo" is unknown'],
    [
      condition({ 'ForSomeValues:StringEquals': { 'iot:ClientId': 'x' } }),
      'Statement[1].Condition.ForSomeValues:StringEquals: the operator "ForSomeValues:StringEquals" is unknown',
    ],
    [
      condition({ NullIfExists: { 'iot:ClientId': 'true' } }),
      'Statement[1].Condition.NullIfExists: the operator "NullIfExists" is unknown',
    ],
    [condition({ StringEquals: 'x' }), 'Statement[1].Condition.StringEquals: must be an object'],
    [
      condition({ StringEquals: { 'iot:Foo': 'x' } }),
      'Statement[1].Condition.StringEquals.iot:Foo: the key is unknown',
    ],
    [
      condition({ StringEquals: { 'iot:ClientId': ['x', null] } }),
      'Statement[1].Condition.StringEquals.iot:ClientId[1]: must be a string, a number, true or false',
    ],
    [
      condition({ StringEquals: { 'iot:ClientId': ['x', '${a}'] } }),
      'Statement[1].Condition.StringEquals.iot:ClientId[1]: the variable "a" is unknown',
    ],
    [
      condition({ Bool: { 'iot:Connection.Thing.IsAttached': 'yes' } }),
      'Statement[1].Condition.Bool.iot:Connection.Thing.IsAttached: expected true or false, found "yes"',
    ],
    [
      condition({ IpAddress: { 'aws:SourceIp': '10.0.0.0/33' } }),
      'Statement[1].Condition.IpAddress.aws:SourceIp: "10.0.0.0/33" is no range of addresses; write one as in "10.0.0.0/8"',
    ],
    [
      condition({ IpAddress: { 'aws:SourceIp': '::ffff:c000:200/120' } }),
      'Statement[1].Condition.IpAddress.aws:SourceIp: "::ffff:c000:200/120" is a range of IPv4; write it as in "10.0.0.0/8"',
    ],
    [
      condition({ IpAddress: { 'iot:ClientId': '10.0.0.0' } }),
      'Statement[1].Condition.IpAddress.iot:ClientId: IpAddress cannot be asked of this key',
    ],
    [
      condition({ DateLessThan: { 'aws:CurrentTime': 'soon' } }),
      'Statement[1].Condition.DateLessThan.aws:CurrentTime: "soon" is no date; write one as in "2026-11-28T07:00:00Z"',
    ],
    [
      condition({ NumericEquals: { 'iot:ClientId': '0x10' } }),
      'Statement[1].Condition.NumericEquals.iot:ClientId: "0x10" is no number',
    ],
    [
      condition({ NumericEquals: { 'iot:ClientId': '${iot:ClientId}' } }),
      'Statement[1].Condition.NumericEquals.iot:ClientId: variables can be compared as strings and ARNs only',
    ],
    [
      condition({ StringEquals: { 'umbra:Section': 'desired' } }),
      'Statement[1].Condition.StringEquals.umbra:Section: no request has a value for this key yet; name things and shadows as resources',
    ],
    [
      condition({ 'ForAllValues:StringLike': { 'Umbra:paths': 'desired.*' } }),
      'Statement[1].Condition.ForAllValues:StringLike.Umbra:paths: no request has a value for this key yet; name things and shadows as resources',
    ],
    [
      condition({ ArnLike: { 'iot:LastWillTopic': 'topic/x' } }),
      'Statement[1].Condition.ArnLike.iot:LastWillTopic: "topic/x" is no ARN; write "arn:aws:iot:region:account:topic/…" or "*"',
    ],
    ['{"Version": "2012-10-17", "Version": "2012-10-17"}', 'Version: is there twice; keep one of them'],
    [
      `{"Version": "2012-10-17", "Statement": [${JSON.stringify(ALLOW)}, {"Effect": "Deny", "Sid": "{,\\"", "\\u0045ffect": "Allow"}]}`,
      'Statement[1].Effect: is there twice; keep one of them',
    ],
  ])('%#: %s', (document, message) => {
    expect(refusalOf(document)).toBe(`PolicyFault ${message}`);
  });

  it('when it is too long, however deep it is', () => {
    const reason = `PolicyFault the document has more than ${MAX_DOCUMENT_BYTES} bytes; split it into several policies`;
    const [before, after] = text([{ ...ALLOW, Sid: '|' }]).split('|') as [string, string];
    const room = MAX_DOCUMENT_BYTES - before.length - after.length;
    expect(refusalOf(before + 'x'.repeat(room) + after)).toBe('accepted');
    expect(refusalOf(`${before}${'x'.repeat(room - 1)}ü${after}`)).toBe(reason);
    const half = MAX_DOCUMENT_BYTES / 2;
    expect(refusalOf('['.repeat(half) + ']'.repeat(half))).toBe('PolicyFault must be an object');
    expect(refusalOf('['.repeat(half + 1) + ']'.repeat(half))).toBe(reason);
  });

  it('without more than a little of its own text', () => {
    const message = refusalOf(statement({ Action: `secret\n${'x'.repeat(5000)}` }));
    expect(message.length).toBeLessThan(200);
    expect(message).not.toContain('\n');
  });
});

describe('a document that is made to harm', () => {
  it.each([
    ['{"Version": "2012-10-17", "a\\nb": 1}', '"a\\nb": is unknown here; there are Version, Id, Statement'],
    ['{"a\\nb": 1, "a\\u000ab": 1}', '"a\\nb": is there twice; keep one of them'],
    [condition({ StringEquals: { 'a\nb': 'x' } }), 'Statement[1].Condition.StringEquals."a\\nb": the key is unknown'],
    [condition({ 'a\u2028': { 'a\nb': 'x' } }), 'Statement[1].Condition."a\u2028": the operator "a\u2028" is unknown'],
  ])('breaks no line of a log: %s', (document, message) => {
    expect(refusalOf(document)).toBe(`PolicyFault ${message}`);
  });

  it('has nothing deep in it, not where nothing has an effect either', () => {
    const deep = '['.repeat(7000) + ']'.repeat(7000);
    const place = 'Statement.Condition.a.b[0]';
    expect(refusalOf(text({ ...ALLOW, Action: 's3:*', Condition: { a: { b: '|' } } }).replace('"|"', deep))).toBe(
      `PolicyFault ${place}: must be a string, a number, true or false`,
    );
  });
});

describe('a document is accepted', () => {
  it.each([
    ['a single statement and single values', text(ALLOW)],
    [
      'names of actions and keys in another case',
      statement({ Action: 'IOT:publish', Condition: { StringEquals: { 'iot:CLIENTID': 'x' } } }),
    ],
    ['an id', JSON.stringify({ Version: '2012-10-17', Id: 'a', Statement: ALLOW })],
    [
      'values that are no strings',
      condition({ Bool: { 'iot:Connection.Thing.IsAttached': true }, NumericLessThan: { 'aws:EpochTime': 5 } }),
    ],
    [
      'any partition, region and account',
      statement({
        Resource: ['arn:aws-cn:iot:cn-north-1:1:topic/x', 'arn:aws:iot:*:*:topic/x', 'arn:aws:iot:::topic/x'],
      }),
    ],
    ['an ARN that is cut off by a wildcard', statement({ Resource: ['arn:aws:iot:*', 'arn:aws:iot:r:*'] })],
    ['the same member in different objects', text([ALLOW, ALLOW, ALLOW])],
  ])('with %s', (_title, document) => {
    expect(parsePolicyDocument(document).notes).toEqual([]);
  });

  it('with a note for what has no effect', () => {
    const { notes, statements } = parsePolicyDocument(
      text([
        {
          ...ALLOW,
          Action: ['iot:Publish', 's3:PutObject', 'iot:Pubish'],
          Resource: ['arn:aws:iot:r:a:topics/x', '*'],
        },
        { ...ALLOW, Action: 's3:*', Condition: { Anything: { 's3:prefix': '${s3:prefix}' } } },
        { ...ALLOW, Resource: 'arn:aws:s3:::bucket/*' },
      ]),
    );
    expect(notes).toEqual([
      'Statement[0].Action[1]: "s3:PutObject" has no effect here',
      'Statement[0].Action[2]: "iot:Pubish" has no effect here',
      'Statement[0].Resource[0]: "arn:aws:iot:r:a:topics/x" has no effect here',
      'Statement[1].Action: "s3:*" has no effect here',
      'Statement[2].Resource: "arn:aws:s3:::bucket/*" has no effect here',
    ]);
    expect(statements.map(({ resources }) => resources.length)).toEqual([1, 0, 0]);
  });
});

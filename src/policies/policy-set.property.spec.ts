import fc from 'fast-check';
import type { PolicyAction } from './actions.js';
import type { ContextValues, PolicyContext } from './context-keys.js';
import { parsePolicyDocument } from './policy-document.js';
import { PolicySet } from './policy-set.js';
import type { PolicyResource } from './resource-pattern.js';

/** What holds for every document. The evaluator below is the model: it reads the JSON anew for each question. */

type Effect = 'Allow' | 'Deny';
interface Statement {
  readonly Effect: Effect;
  readonly Action: string | string[];
  readonly Resource: string | string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string[]>>>>;
}
interface Question {
  readonly action: PolicyAction;
  readonly resource: PolicyResource;
  readonly caller: ContextValues;
}

const many = (value: string | string[]): string[] => [value].flat();
const escaped = (text: string): string => text.replace(/[^\w]/g, '\\$&');

/** A pattern as an expression; `undefined` for an Allow with a variable that has no value. */
function expressionOf(pattern: string, caller: ContextValues, effect: Effect): RegExp | undefined {
  let isMissing = false;
  const source = pattern.replace(/\$\{([^}]+)\}|\*|\?|[^$*?]+|\$/g, (part, name?: string) => {
    if (name === undefined) return part === '*' ? '.*' : part === '?' ? '.' : escaped(part);
    const value = caller[name];
    isMissing ||= value === undefined;
    return value === undefined ? '.*' : escaped(String(value));
  });
  return isMissing && effect === 'Allow' ? undefined : new RegExp(`^${source}$`, 's');
}

function conditionHolds(
  operator: string,
  key: string,
  values: string[],
  caller: ContextValues,
  effect: Effect,
): boolean {
  const isMissing = values.some(
    (value) => /\$\{([^}]+)\}/.test(value) && expressionOf(value, caller, 'Allow') === undefined,
  );
  if (isMissing) return effect === 'Deny';
  const asked = caller[key] as string | undefined;
  if (operator === 'Null') return values.includes(String(asked === undefined));
  if (asked === undefined) return operator.includes('Not') || operator.endsWith('IfExists');
  const literal = (value: string): string => value.replace(/\$\{([^}]+)\}/g, (_, name: string) => String(caller[name]));
  const isOne = values.some((value) =>
    operator.includes('Like') ? expressionOf(value, caller, effect)!.test(asked) : literal(value) === asked,
  );
  return operator.includes('Not') ? !isOne : isOne;
}

function statementApplies(statement: Statement, { action, resource, caller }: Question): boolean {
  const { Effect: effect, Action, Resource, Condition = {} } = statement;
  const isAsked = many(Action).some((each) => expressionOf(each.toLowerCase(), {}, 'Deny')!.test(action.toLowerCase()));
  const isMeant = many(Resource)
    .map((each) => each.replace(/^arn:aws:iot:[^:]*:[^:]*:/, ''))
    .some((each) => expressionOf(each, caller, effect)?.test(resource) ?? false);
  const conditions = Object.entries(Condition).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => conditionHolds(operator, key, values, caller, effect)),
  );
  return isAsked && isMeant && !conditions.includes(false);
}

function model(statements: readonly Statement[], question: Question): string {
  const effects = statements.filter((each) => statementApplies(each, question)).map(({ Effect: effect }) => effect);
  return effects.includes('Deny') ? 'deny' : effects.includes('Allow') ? 'allow' : 'none';
}

const VARIABLES = ['iot:ClientId', 'iot:Connection.Thing.ThingName', 'iot:CertificateId'];
const variable = fc.constantFrom(...VARIABLES);
const word = fc.constantFrom('a', 'b', 'lamp', '$aws', '+', '#', '*', '?', '*a', '/');
const piece = fc.oneof({ weight: 4, arbitrary: word }, { weight: 1, arbitrary: variable.map((name) => `\${${name}}`) });
const pattern = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join('/'));
/** Between two `*` a `?` and a variable do not go together: such a document is refused. */
const isAccepted = (text: string): boolean => !/\*.*(\?.*\$\{|\$\{.*\?).*\*/.test(text);
const type = fc.constantFrom('client', 'topic', 'topicfilter', 'thing', 't*');
const resource = fc.oneof(
  { weight: 1, arbitrary: fc.constant('*') },
  {
    weight: 6,
    arbitrary: fc
      .tuple(type, pattern)
      .map(([kind, name]) => `arn:aws:iot:r:1:${kind}/${name}`)
      .filter(isAccepted),
  },
);
const action = fc.constantFrom(
  'iot:Connect',
  'iot:Publish',
  'iot:publish',
  'iot:*',
  '*',
  'iot:?ub*',
  'umbra:Watch',
  's3:Get',
);
const oneOrMany = (each: fc.Arbitrary<string>): fc.Arbitrary<string | string[]> =>
  fc.oneof(each, fc.array(each, { minLength: 1, maxLength: 3 }));
const operator = fc.constantFrom(
  'StringEquals',
  'StringNotEquals',
  'StringLike',
  'StringNotLike',
  'StringLikeIfExists',
);
const condition = fc.oneof(
  fc.tuple(operator, variable, fc.array(pattern.filter(isAccepted), { minLength: 1, maxLength: 2 })),
  fc.tuple(
    fc.constant('Null'),
    variable,
    fc.constantFrom('true', 'false').map((isAbsent) => [isAbsent]),
  ),
);
const statement: fc.Arbitrary<Statement> = fc
  .record({
    Effect: fc.constantFrom<Effect>('Allow', 'Allow', 'Deny'),
    Action: oneOrMany(action),
    Resource: oneOrMany(resource),
    condition: fc.option(condition, { freq: 2 }),
  })
  .map(({ condition: given, ...rest }) =>
    given === null ? rest : { ...rest, Condition: { [given[0]]: { [given[1]]: given[2] } } },
  );
const statements = fc.array(statement, { minLength: 1, maxLength: 5 });
const value = fc
  .array(fc.constantFrom('a', 'b', 'lamp', '*', '$aws', '+', '#'), { maxLength: 3 })
  .map((all) => all.join('/'));
const caller = fc
  .tuple(...VARIABLES.map(() => fc.option(value, { freq: 3 })))
  .map((values) =>
    Object.fromEntries(VARIABLES.flatMap((name, index) => (values[index] === null ? [] : [[name, values[index]!]]))),
  );
const question: fc.Arbitrary<Question> = fc.record({
  action: fc.constantFrom<PolicyAction>('iot:Connect', 'iot:Publish', 'iot:Subscribe', 'umbra:Watch'),
  resource: fc
    .tuple(fc.constantFrom('client', 'topic', 'topicfilter', 'thing'), value)
    .map(([kind, name]) => `${kind}/${name}` as PolicyResource),
  caller,
});

const setOf = (all: readonly Statement[]): PolicySet =>
  new PolicySet([
    {
      name: 'p',
      document: parsePolicyDocument(JSON.stringify({ Version: '2012-10-17', Statement: all })),
      confinedTo: null,
    },
  ]);
const contextOf = ({ caller: values }: Question): PolicyContext => ({ caller: values });
const effectOf = (all: readonly Statement[], asked: Question): string =>
  setOf(all).decide(asked.action, asked.resource, contextOf(asked)).effect;

describe('every document', () => {
  it('decides as the model does', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(statements, fc.array(question, { minLength: 1, maxLength: 5 }), (all, questions) => {
        const set = setOf(all);
        for (const asked of questions) {
          const { effect } = set.decide(asked.action, asked.resource, contextOf(asked));
          expect(effect).toBe(model(all, asked));
          seen.add(effect);
        }
      }),
      { numRuns: 2000 },
    );
    expect([...seen].sort()).toEqual(['allow', 'deny', 'none']);
  });

  it('decides the same in any order of its statements', () => {
    const shuffled = statements.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
    );
    fc.assert(
      fc.property(shuffled, question, ([all, other], asked) => {
        expect(effectOf(other, asked)).toBe(effectOf(all, asked));
      }),
    );
  });

  it('gives no more by one more Deny, and no less by one more Allow', () => {
    fc.assert(
      fc.property(statements, statement, question, (all, more, asked) => {
        const before = effectOf(all, asked);
        const after = effectOf([...all, more], asked);
        if (more.Effect === 'Deny') expect([before, 'deny']).toContain(after);
        else expect([before, before === 'none' ? 'allow' : before]).toContain(after);
      }),
    );
  });

  it('names a statement that alone decides so', () => {
    fc.assert(
      fc.property(statements, question, (all, asked) => {
        const explained = setOf(all).explain(asked.action, asked.resource, contextOf(asked));
        if (explained.effect === 'none')
          expect(explained).toMatchObject({ policy: null, statement: null, source: null });
        else expect(effectOf([all[explained.statement!]!], asked)).toBe(explained.effect);
        expect(explained.source).toEqual(explained.statement === null ? null : all[explained.statement]);
      }),
    );
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/**
 * What can be called across a file in the core is described where it is declared: every exported function and every
 * public method of an exported class or interface. What a class implements is described in its interface. Whatever is
 * asynchronous or throws says with which errors, and a number says its unit.
 */
const FOLDERS = ['src/errors', 'src/resilience', 'src/document', 'src/store', 'src/watch'];

type Callable =
  ts.FunctionDeclaration | ts.ArrowFunction | ts.FunctionExpression | ts.MethodDeclaration | ts.MethodSignature;

interface Described {
  /** `file: Owner.name`. */
  readonly place: string;
  readonly callable: Callable;
  /** Text of its own comment and of those that it inherits; null: there is none. */
  readonly comment: string | null;
}

const files = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) => join(folder, name)),
).map((path) => ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true));

const isExported = (node: ts.HasModifiers): boolean =>
  node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;

function commentOf(node: ts.Node): string | null {
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  return comments.length > 0 ? comments.map((comment) => comment.getText()).join('\n') : null;
}

type Owner = ts.ClassDeclaration | ts.InterfaceDeclaration;
const owners = new Map<string, Owner>();
for (const file of files) {
  file.forEachChild((node) => {
    if ((ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) && node.name) owners.set(node.name.text, node);
  });
}

/** Comments of the member of this name in the owner and in all that it extends or implements. */
function inherited(owner: Owner, name: string): string[] {
  const own = owner.members.find((member) => member.name?.getText() === name);
  const comment = own ? commentOf(own) : null;
  const above = (owner.heritageClauses ?? []).flatMap(({ types }) =>
    types.map(({ expression }) => expression.getText()),
  );
  const parents = above.flatMap((parent) => owners.get(parent) ?? []);
  return [...(comment === null ? [] : [comment]), ...parents.flatMap((parent) => inherited(parent, name))];
}

function* described(file: ts.SourceFile): Generator<Described> {
  for (const node of file.statements) {
    if (ts.isFunctionDeclaration(node) && isExported(node) && node.name) {
      yield { place: `${file.fileName}: ${node.name.text}`, callable: node, comment: commentOf(node) };
    } else if (ts.isVariableStatement(node) && isExported(node)) {
      for (const { name, initializer } of node.declarationList.declarations) {
        if (!initializer || !(ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer))) continue;
        yield { place: `${file.fileName}: ${name.getText()}`, callable: initializer, comment: commentOf(node) };
      }
    } else if ((ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) && isExported(node)) {
      for (const member of node.members) {
        if (!ts.isMethodDeclaration(member) && !ts.isMethodSignature(member)) continue;
        const name = member.name.getText();
        const isHidden = member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword) ?? false;
        if (isHidden || /^[#[]/.test(name)) continue;
        const comments = inherited(node, name);
        const comment = comments.length > 0 ? comments.join('\n') : null;
        yield { place: `${file.fileName}: ${node.name?.text}.${name}`, callable: member, comment };
      }
    }
  }
}

/** Whether the caller has to expect an error: it is asynchronous, or throws in its own body. */
function canFail(callable: Callable): boolean {
  const type = callable.type?.getText() ?? '';
  if (/^(Promise|AsyncGenerator|AsyncIterable)\b/.test(type)) return true;
  if (callable.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword)) return true;
  const throwsIn = (node: ts.Node): boolean =>
    ts.isThrowStatement(node) || (!ts.isFunctionLike(node) && ts.forEachChild(node, throwsIn) === true);
  return 'body' in callable && callable.body !== undefined && throwsIn(callable.body);
}

/** Parameters that are numbers of what nobody can know. Counters, places, hashes and process ids have no unit. */
function numbersWithoutUnit({ callable, comment }: Described): string[] {
  return callable.parameters
    .filter(({ type }) => type && /^number( \| (null|undefined))?$/.test(type.getText()))
    .map(({ name }) => name.getText())
    .filter(
      (name) =>
        !/(Ms|Seconds|Bytes)$/.test(name) &&
        !/^(revision|version|index|count|epoch|pid|group|hash|character)$/.test(name),
    )
    .filter((name) => !new RegExp(`(@param ${name}\\b|\`${name}\`)`).test(comment ?? ''));
}

describe('what the core offers', () => {
  const all = files.flatMap((file) => [...described(file)]);
  const SAYS_ERRORS = /@throws|\bnever (throws|rejects)\b|\bno errors\b/i;
  const failing = all.filter(({ callable, comment }) => canFail(callable) && !SAYS_ERRORS.test(comment ?? ''));

  it('is found', () => {
    expect(all.length).toBeGreaterThan(100);
    expect(all.map(({ place }) => place)).toContain('src/store/shadow-store.ts: ShadowStore.update');
  });

  it('has a comment', () => {
    expect(all.filter(({ comment }) => comment === null).map(({ place }) => place)).toEqual([]);
  });

  it('says its errors, or that there are none, where it is asynchronous or throws', () => {
    expect(failing.map(({ place }) => place)).toEqual([]);
  });

  it('says the unit of its numbers', () => {
    const unclear = all.flatMap((each) => numbersWithoutUnit(each).map((name) => `${each.place}(${name})`));
    expect(unclear).toEqual([]);
  });
});

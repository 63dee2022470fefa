import ts from 'typescript';

/**
 * One change of compiled code: what is put in place of a text. The text must be there exactly once in the function that
 * is named, or in the whole file where none is. Spaces and line ends count as one space.
 */
export interface Edit {
  /** Below dist/, or below src/ with the ending .ts. */
  readonly file: string;
  /** Function, method, getter or `constructor`, with its `#`. */
  readonly within: string | null;
  readonly find: string;
  readonly put: string;
}

/** @throws Error when the text is not where the edit says, or more than once */
export function applyEdit(code: string, edit: Edit): string {
  const { file, within, find, put } = edit;
  const [start, end] = within === null ? [0, code.length] : bodyOf(code, within, file);
  const body = code.slice(start, end);
  const found = [...body.matchAll(patternOf(find))];
  const where = within === null ? file : `${within} of ${file}`;
  if (found.length !== 1) throw new Error(`${found.length} times in ${where}: ${find}`);
  return code.slice(0, start) + body.replace(patternOf(find), () => put) + code.slice(end);
}

/** What the build makes of one source file: the compiler options that matter for the text are those of tsconfig.json. */
export function compiled(source: string): string {
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    isolatedModules: true,
  };
  return ts.transpileModule(source, { compilerOptions }).outputText;
}

function patternOf(text: string): RegExp {
  const words = text.trim().split(/\s+/);
  return new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s+'), 'g');
}

function bodyOf(code: string, name: string, file: string): [number, number] {
  const found: [number, number][] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && nameOf(node) === name) found.push([node.getStart(), node.end]);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, code, ts.ScriptTarget.ES2023, true, ts.ScriptKind.JS));
  const [first, ...more] = found;
  if (first === undefined || more.length > 0) throw new Error(`${found.length} functions ${name} in ${file}`);
  return first;
}

function nameOf(node: ts.SignatureDeclaration): string | null {
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  return node.name?.getText() ?? null;
}

import { isMap, isScalar, parseDocument, type Pair, type ParsedNode, type YAMLMap } from 'yaml';
import { usage } from '../exit-code.js';
import { placeIn } from '../json-file.js';

/** Bytes that the service takes. */
const MAX_BYTES = 64 * 1024;
/** The rules and what their values look like. The service knows their limits. */
const TIME = [/^\d{1,9}[smhd]$/, 'a whole number with a unit: s, m, h or d, such as 60s'] as const;
const RULES: Readonly<Record<string, readonly [RegExp, string]>> = {
  ...{ ttl: TIME, grace_period: TIME, refresh_ttl: TIME, refresh_idle: TIME, reuse_grace: TIME, clock_skew: TIME },
  force_rotate: [/^(true|false)$/, 'true or false'],
  binding: [/^client(\+address(\+agent)?)?$/, 'client, client+address or client+address+agent'],
};
/** Problems that are told of one file. */
const MAX_PROBLEMS = 20;

type Report = (node: { readonly range?: readonly number[] | null } | null | undefined, problem: string) => void;

/**
 * Checks the text of a token policy as far as it can be without the service.
 * @throws CliError with the places of what is wrong
 */
export function checkPolicy(text: string, file: string): void {
  const problems: string[] = [];
  const at = (offset: number, problem: string): void =>
    void problems.push(`${placeIn(file, text, offset)}: ${problem}`);
  if (Buffer.byteLength(text) > MAX_BYTES) throw usage(`${file}:1:1: a token policy has ${MAX_BYTES} bytes at most`);
  try {
    const document = parseDocument(text, { prettyErrors: false });
    for (const { pos, message } of document.errors) at(pos[0], message);
    const report: Report = (node, problem) => at(node?.range?.[0] ?? 0, problem);
    if (problems.length === 0) checkRoot(document.contents, report);
  } catch (error) {
    // Levels without end take the parser all its stack.
    if (!(error instanceof RangeError)) throw error;
    at(0, 'it is nested too deeply');
  }
  if (problems.length > 0) throw usage(problems.slice(0, MAX_PROBLEMS).join('\n'));
}

function checkRoot(root: ParsedNode | null, report: Report): void {
  if (!isMap(root)) return report(root, 'a token policy is a map of rules, such as ttl: 3600s');
  const pairs = checkRules(root, report, true);
  if (!root.has('ttl')) report(root, 'ttl is missing');
  for (const { value } of pairs.filter(({ key }) => nameOf(key) === 'tenants')) {
    if (!isMap(value)) report(value, 'tenants must be a map');
    else
      for (const each of value.items as Pair<ParsedNode, ParsedNode | null>[])
        if (isMap(each.value)) checkRules(each.value as YAMLMap.Parsed, report, false);
        else report(each.value ?? each.key, `tenants.${nameOf(each.key)} must be a map of rules`);
  }
}

function checkRules(
  map: YAMLMap.Parsed,
  report: Report,
  isRoot: boolean,
): readonly Pair<ParsedNode, ParsedNode | null>[] {
  for (const { key, value } of map.items) {
    const name = nameOf(key);
    if (isRoot && name === 'tenants') continue;
    const [form, words] = Object.hasOwn(RULES, name) ? RULES[name]! : [null, ''];
    if (form === null)
      report(key, `${name} is not known; the keys are ${Object.keys(RULES).join(', ')}${isRoot ? ', tenants' : ''}`);
    else if (!isScalar(value) || !form.test(String(value.value))) report(value ?? key, `${name} must be ${words}`);
  }
  return map.items;
}

const nameOf = (key: unknown): string => (isScalar(key) ? String(key.value) : '?');

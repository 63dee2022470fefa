import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';

export const RULES_FOLDER = 'k8s/observability/rules';

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly interval?: string; readonly rules: readonly Rule[] }[];
}

/** Every file of rules, by its name. */
export function readRules(): ReadonlyMap<string, RuleFile> {
  const names = readdirSync(RULES_FOLDER).sort();
  return new Map(names.map((name) => [name, parse(readFileSync(join(RULES_FOLDER, name), 'utf8')) as RuleFile]));
}

export const rulesOf = ({ groups }: RuleFile): Rule[] => groups.flatMap(({ rules }) => rules);
export const alertsOf = (files: ReadonlyMap<string, RuleFile>): Rule[] =>
  [...files.values()].flatMap(rulesOf).filter(({ alert }) => alert !== undefined);

/** A copy of some rules, or of all, in which `change` has been made to every one. */
export const changedRules = (
  { groups }: RuleFile,
  change: (rule: Rule) => Rule,
  of: (rule: Rule) => boolean = () => true,
): RuleFile => ({ groups: groups.map((group) => ({ ...group, rules: group.rules.filter(of).map(change) })) });

/** The notation of promtool for series. */
export interface RuleTest {
  readonly interval: string;
  readonly input_series: readonly { readonly series: string; readonly values: string }[];
  readonly promql_expr_test: readonly {
    readonly expr: string;
    readonly eval_time: string;
    readonly exp_samples: readonly { readonly labels: string; readonly value: number }[];
  }[];
}

export interface RuleTests {
  readonly rules: RuleFile;
  readonly tests: readonly RuleTest[];
  readonly evaluationInterval: string;
}

/** What `promtool test rules` says about each of them; empty: all tests have passed. One process for all of them. */
export function testRules(all: ReadonlyMap<string, RuleTests>): ReadonlyMap<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-rules-'));
  try {
    const names = [...all.keys()];
    [...all.values()].forEach(({ rules, tests, evaluationInterval }, at) => {
      // JSON is YAML.
      writeFileSync(join(folder, `${at}.rules.yml`), JSON.stringify(rules));
      const file = { rule_files: [`${at}.rules.yml`], evaluation_interval: evaluationInterval, tests };
      writeFileSync(join(folder, `${at}.test.yml`), JSON.stringify(file));
    });
    const files = names.map((_, at) => `${at}.test.yml`);
    const said = promtool(['test', 'rules', ...files], folder).split(/^Unit Testing: +/m);
    const results = said.slice(1).map((text) => /^(\d+)\.test\.yml\n([\s\S]*)$/.exec(text)!);
    return new Map(results.map(([, at, text]) => [names[Number(at)]!, text!.trim() === 'SUCCESS' ? '' : text!.trim()]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What `promtool check rules` finds wrong with files of these rules; empty: nothing. */
export function checkRules(files: readonly RuleFile[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-rules-'));
  try {
    files.forEach((file, at) => writeFileSync(join(folder, `${at}.yml`), JSON.stringify(file)));
    const said = promtool(['check', 'rules', ...files.map((_, at) => `${at}.yml`)], folder);
    return said.replaceAll(/^Checking .*$|^ +SUCCESS.*$/gm, '').trim();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Both of its outputs, in the order in which it has written them. */
function promtool(args: readonly string[], cwd: string): string {
  const options = { cwd, encoding: 'utf8', maxBuffer: 100_000_000 } as const;
  const { stdout, error } = spawnSync('sh', ['-c', 'exec promtool "$@" 2>&1', 'sh', ...args], options);
  if (error) throw error;
  return stdout;
}

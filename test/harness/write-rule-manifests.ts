import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import { CHART_RULES, RULE_MANIFEST, ruleGroups, ruleManifest } from './rule-manifests.js';

const HEAD = '# Made by `npm run k8s:rules` of k8s/observability/rules; change those.\n';

for (const [path, content] of [
  [RULE_MANIFEST, ruleManifest()],
  [CHART_RULES, ruleGroups()],
] as const) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, HEAD + stringify(content, { lineWidth: 0, aliasDuplicateObjects: false }));
}

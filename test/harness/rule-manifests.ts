import { readRules, type RuleFile } from './prometheus-rules.js';

/** Where `npm run k8s:rules` puts the rules for Kustomize, and for the chart, which cannot read files outside of itself. */
export const RULE_MANIFEST = 'k8s/components/monitoring/prometheus-rules.yaml';
export const CHART_RULES = 'k8s/chart/files/rules.yaml';

/** The groups of all files of rules, in the order of their names. */
export const ruleGroups = (): RuleFile => ({ groups: [...readRules().values()].flatMap(({ groups }) => groups) });

/** All rules as the Prometheus operator takes them. */
export const ruleManifest = (): object => ({
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'umbra', labels: { 'app.kubernetes.io/name': 'umbra' } },
  spec: ruleGroups(),
});

/**
 * Reads manifests as a JSON array from stdin and prints what the published schemas say of each: a text or null. A process
 * of its own, because the checker of regular expressions of @kubernetes-models does not load inside of Jest.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** `kubernetes-models/apps/v1` for `apiVersion: apps/v1`. */
export const moduleOf = (apiVersion) =>
  `${apiVersion.startsWith('monitoring.coreos.com/') ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${apiVersion}`;

function wrong(manifest) {
  const Model = require(moduleOf(manifest.apiVersion))[manifest.kind];
  if (!Model) return `${manifest.apiVersion} has no ${manifest.kind}`;
  try {
    new Model(manifest).validate();
    return null;
  } catch (error) {
    return error.message;
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(wrong)));

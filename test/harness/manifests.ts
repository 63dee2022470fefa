import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: object };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Of a pod, or of the template of one. */
export interface Pod {
  readonly metadata: { readonly labels: object };
  readonly spec: PodSpec;
}

export interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly terminationGracePeriodSeconds: number;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly resources?: { readonly limits?: { readonly memory?: string } };
}

/** The overlays of Kustomize, each with the values of the chart that say the same. */
export const OVERLAYS: Readonly<Record<string, string | null>> = {
  dev: 'values-dev.yaml',
  prod: null,
  ha: 'values-ha.yaml',
};

/** kubectl 1.21 and later have a Kustomize that knows components. */
export const hasKustomize = spawnSync('kubectl', ['kustomize', 'k8s/overlays/dev']).status === 0;

/** What `kubectl kustomize` makes of a folder below k8s. @throws Error with what it says */
export function kustomize(folder: string): Manifest[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', `k8s/${folder}`], { encoding: 'utf8' });
  if (status !== 0 || stderr !== '') throw new Error(stderr);
  return manifestsIn(stdout);
}

/** Manifests as they stand in the files of a folder below k8s; patches are in the overlays alone. */
export function manifestsBelow(folder: string): { readonly file: string; readonly manifest: Manifest }[] {
  return readdirSync(join('k8s', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml') && !/(?:^|\/)(?:kustomization|replicas)\.yaml$/.test(file))
    .flatMap((file) =>
      manifestsIn(readFileSync(join('k8s', folder, file), 'utf8')).map((manifest) => ({ file, manifest })),
    );
}

function manifestsIn(text: string): Manifest[] {
  return parseAllDocuments(text, { strict: true, uniqueKeys: true }).map((document) => {
    if (document.errors.length > 0) throw new Error(document.errors.join('\n'));
    return document.toJS() as Manifest;
  });
}

/** The template of the pods that a manifest makes; undefined: it makes none. */
export function podOf({ kind, spec }: Manifest): Pod | undefined {
  const { jobTemplate, template } = (spec ?? {}) as { jobTemplate?: { spec: { template: Pod } }; template?: Pod };
  return kind === 'CronJob' ? jobTemplate?.spec.template : template;
}

/** All containers of a pod, those that come before the others first. */
export const containersOf = ({ initContainers = [], containers }: PodSpec): Container[] => [
  ...initContainers,
  ...containers,
];

/** Published schemas, as kubernetes-models carries them: `kubernetes-models/apps/v1` for `apiVersion: apps/v1`. */
const moduleOf = (apiVersion: string): string =>
  `${apiVersion.startsWith('monitoring.coreos.com/') ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${apiVersion}`;

/**
 * Values against the schemas: what is wrong with each manifest, or null. They let members pass that they do not know;
 * those are for typeErrors.
 */
export function schemaErrors(all: readonly Manifest[]): (string | null)[] {
  const options = { input: JSON.stringify(all), encoding: 'utf8' } as const;
  const { stdout, stderr } = spawnSync(process.execPath, ['test/harness/manifest-schemas.mjs'], options);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as (string | null)[];
}

/** Names of members, through the compiler: a literal with a member that the type does not have is an error. */
export function typeErrors(all: readonly Manifest[]): string[] {
  const file = 'manifests-under-test.ts';
  const source = all
    .map((manifest, index) => {
      const type = `import('${moduleOf(manifest.apiVersion)}').I${manifest.kind}`;
      return `export const m${index}: ${type} = ${JSON.stringify(manifest)};`;
    })
    .join('\n');
  const options = { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext };
  const settings = { ...options, strict: true, noEmit: true, skipLibCheck: true, types: [], noLib: false };
  const host = ts.createCompilerHost(settings);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (name) => name.endsWith(file) || fileExists.call(host, name);
  host.getSourceFile = (name, target, ...rest) =>
    name.endsWith(file) ? ts.createSourceFile(name, source, target) : getSourceFile.call(host, name, target, ...rest);
  const program = ts.createProgram([file], settings, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

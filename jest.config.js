import { availableParallelism } from 'node:os';

const common = {
  runtime: '<rootDir>/test/harness/packages-once.cjs',
  testEnvironment: '<rootDir>/test/harness/realm-of-packages.cjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  // Sources import each other with the .js ending that Node's ESM loader needs; Jest reads the .ts files.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};

/**
 * Files of tests that only the long run carries out, with UMBRA_E2E_LONG=1: an upgrade from a build that they compile
 * first, and nodes that wait for leases to end behind mosquitto, which the fault lab plays too.
 */
const LONG_RUN = process.env['UMBRA_E2E_LONG'] === '1' ? [] : ['/e2e/(record-formats|external-broker-cut-off)[.]spec'];

/** One project per kind of test, so that `jest --selectProjects unit` needs no server at all. */
export default {
  // A test that hangs ends; one that waits on a busy machine does not. Conditions have bounds of their own: harness/until.ts.
  testTimeout: 300_000,
  // Most tests wait for servers and timers, so two cores carry four workers; Jest would start one.
  maxWorkers: Math.max(4, availableParallelism() - 1),
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: ['<rootDir>/src/**/*.spec.ts', '<rootDir>/test/architecture/**/*.spec.ts'],
    },
    { ...common, displayName: 'integration', testMatch: ['<rootDir>/test/integration/**/*.spec.ts'] },
    {
      ...common,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...LONG_RUN],
      setupFilesAfterEnv: ['<rootDir>/test/e2e/steps/build-first.ts'],
    },
  ],
};

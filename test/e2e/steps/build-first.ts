import { builtMain } from '../../harness/build.js';

/** Milliseconds for a build on a busy machine, and for the build of another Jest worker before it. */
const BUILD_TIMEOUT_MS = 600_000;

// Jest runs this file before each spec of test/e2e, so that no test spends its own time limit on the build.
beforeAll(async () => void (await builtMain()), BUILD_TIMEOUT_MS);

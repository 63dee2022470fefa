import { writeFileSync } from 'node:fs';
import { pageOf } from './page.js';
import { programOf } from './program.js';
import { silent } from './testing/silent.js';

writeFileSync('docs/cli.md', pageOf(programOf(silent())));

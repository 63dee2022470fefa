import { writeFileSync } from 'node:fs';
import { configurationPage } from './configuration-page.js';

writeFileSync('docs/configuration.md', configurationPage());

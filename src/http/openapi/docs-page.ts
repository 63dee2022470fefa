import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** The only files of swagger-ui-dist that the page needs. */
export const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
  'favicon-32x32.png': 'image/png',
};

/** With this policy the browser lets the page connect to this host only. */
export const PAGE_POLICY = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
};

export const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Umbra API</title>
    <link rel="icon" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="page"></div>
    <noscript>This page needs JavaScript. The same description is at <a href="/openapi.json">/openapi.json</a>.</noscript>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

// Without `validatorUrl: null` the page would ask a validator on the internet about this document.
export const START_SCRIPT = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#page',
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
});
`;

const require = createRequire(import.meta.url);
const loaded = new Map<string, Promise<Buffer>>();

/** The content of a file, read once. */
export function assetOf(name: string): Promise<Buffer> {
  let file = loaded.get(name);
  if (!file) {
    file = readFile(require.resolve(`swagger-ui-dist/${name}`));
    loaded.set(name, file);
  }
  return file;
}

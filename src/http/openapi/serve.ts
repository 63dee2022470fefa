import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import type { OperationDescription } from './describe.js';
import { ASSETS, assetOf, PAGE, PAGE_POLICY, START_SCRIPT } from './docs-page.js';
import { SCHEMAS } from './schemas.js';

const ABOUT = `Device shadows: the AWS IoT data plane under \`/things\` and \`/api\`, and our own API under \`/v1\`.
Shadows of the two are the same shadows. Bodies are read as UTF-8 JSON whatever their content type says.`;

/** In the order of the page. */
const TAGS: readonly (readonly [OperationDescription['tag'], string])[] = [
  ['AWS data plane', 'For AWS SDKs and the AWS CLI, unmodified'],
  ['Shadows', 'Our own API: documents, merge patches, conditions'],
  ['Things', 'What has a shadow'],
  ['Watch', 'Streams of changes. They do not end, so this page cannot show them: use `curl -N`'],
  ['Health', 'For load balancers and supervisors'],
];

/** The description of every route that the application has. */
export function openApiOf(app: NestFastifyApplication): OpenAPIObject {
  const about = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Umbra')
    .setDescription(ABOUT)
    .setVersion('1');
  for (const [name, description] of TAGS) about.addTag(name, description);
  const config = { ...about.build(), components: { schemas: SCHEMAS } } as unknown as Omit<OpenAPIObject, 'paths'>;
  return SwaggerModule.createDocument(app, config, { autoTagControllers: false });
}

/**
 * /openapi.json, and /docs to read it. Everything comes from this process; the page may call no other host.
 * SwaggerModule.setup() would do the same through @fastify/static, with a whole folder and a wildcard route.
 */
export function serveOpenApi(app: NestFastifyApplication): void {
  const server = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  let description: Buffer | undefined;
  server.get('/openapi.json', (_request, reply) => {
    description ??= Buffer.from(JSON.stringify(openApiOf(app)));
    return reply.header('content-type', 'application/json').send(description);
  });
  // A person with a browser and the address alone finds the page.
  server.get('/', (_request, reply) => reply.redirect('/docs'));
  server.get('/docs', (_request, reply) => reply.headers(PAGE_POLICY).type('text/html').send(PAGE));
  server.get('/docs/start.js', (_request, reply) => reply.type('text/javascript').send(START_SCRIPT));
  for (const [name, type] of Object.entries(ASSETS)) {
    server.get(`/docs/${name}`, async (_request, reply) =>
      reply
        .type(type)
        .header('cache-control', 'public, max-age=3600')
        .send(await assetOf(name)),
    );
  }
}

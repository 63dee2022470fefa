import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import { VERSION } from '../../telemetry/version.js';
import { controllerMethods } from '../server/controller-methods.js';
import { asyncApiOf } from './async-api.js';
import { componentsOf } from './components.js';
import { DESCRIPTION, schemasIn, type OperationDescription } from './describe.js';
import { ASSETS, assetOf, PAGE, PAGE_POLICY, START_SCRIPT } from './docs-page.js';
import { addTraceHeaders } from './trace-headers.js';

const ABOUT = `Device shadows: the AWS IoT data plane under \`/things\` and \`/api\`, and our own API under \`/v1\`.
Both APIs serve the same shadows. Bodies are read as UTF-8 JSON, whatever the content type says.`;

/** The description of all routes of the application. */
export function openApiOf(app: NestFastifyApplication): OpenAPIObject {
  const operations = descriptions(app);
  const tags = [...new Set(operations.map(({ tag }) => tag))].sort((a, b) => a.place - b.place);
  const about = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Umbra')
    .setDescription(ABOUT)
    .setVersion(VERSION);
  for (const { name, description } of tags) about.addTag(name, description);
  const schemas = componentsOf(operations.flatMap(schemasIn));
  const config = { ...about.build(), components: { schemas } } as unknown as Omit<OpenAPIObject, 'paths'>;
  const streams = new Set(operations.filter(({ stream }) => stream !== undefined).map(({ id }) => id));
  return addTraceHeaders(SwaggerModule.createDocument(app, config, { autoTagControllers: false }), streams);
}

function descriptions(app: NestFastifyApplication): OperationDescription[] {
  return controllerMethods(app).flatMap(({ handler }) => {
    const description = Reflect.getMetadata(DESCRIPTION, handler) as OperationDescription | undefined;
    return description ?? [];
  });
}

/**
 * Serves /openapi.json, /asyncapi.json, and /docs to read the former. All files come from this process, and the page may call no other host.
 * SwaggerModule.setup() would need @fastify/static, a whole folder and a wildcard route for the same.
 */
export function serveOpenApi(app: NestFastifyApplication, server: FastifyInstance): void {
  let description: Buffer | undefined;
  const open = { config: { action: 'public' } } as const;
  server.get('/openapi.json', open, (_request, reply) => {
    description ??= Buffer.from(JSON.stringify(openApiOf(app)));
    return reply.header('content-type', 'application/json').send(description);
  });
  let channels: Buffer | undefined;
  server.get('/asyncapi.json', open, (_request, reply) => {
    channels ??= Buffer.from(JSON.stringify(asyncApiOf(app)));
    return reply.header('content-type', 'application/json').send(channels);
  });
  // A person who opens only the address of the node finds the page.
  server.get('/', open, (_request, reply) => reply.redirect('/docs'));
  server.get('/docs', open, (_request, reply) => reply.headers(PAGE_POLICY).type('text/html').send(PAGE));
  server.get('/docs/start.js', open, (_request, reply) => reply.type('text/javascript').send(START_SCRIPT));
  for (const [name, type] of Object.entries(ASSETS)) {
    server.get(`/docs/${name}`, open, async (_request, reply) =>
      reply
        .type(type)
        .header('cache-control', 'public, max-age=3600')
        .send(await assetOf(name)),
    );
  }
}

import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ModulesContainer } from '@nestjs/core';
import { fastify } from 'fastify';
import { AUTHENTICATOR } from '../access/authenticator.js';
import { addAccessHooks } from './access-hooks.js';

it('takes no route that declares no action: everybody could call it', async () => {
  const parts = new Map<unknown, unknown>([
    [AUTHENTICATOR, { isRequired: true, signatures: null }],
    [ModulesContainer, new Map()],
  ]);
  const server = fastify();
  addAccessHooks({ get: (token: unknown) => parts.get(token) } as unknown as NestFastifyApplication, server);
  expect(() => server.get('/v1/secrets', () => 'secret')).toThrow('The route GET /v1/secrets declares no action');
  expect(() => server.get('/docs', { config: { action: 'public' } }, () => 'page')).not.toThrow();
  await server.close();
});

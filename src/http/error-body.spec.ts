import { ServiceError } from '../errors/service-error.js';
import { awsError, isAwsPath, problem } from './error-body.js';
import { QueryError } from './query.js';

describe('error bodies', () => {
  it.each([
    ['/things/t/shadow', true],
    ['/things', true],
    ['/things?x', true],
    ['/api/things/shadow/ListNamedShadowsForThing/t', true],
    ['/topics/a', true],
    ['/v1/things/t/shadow', false],
    ['/thingsx', false],
    ['/health/ready', false],
    ['/', false],
  ])('%s is of the AWS data plane: %s', (path, aws) => expect(isAwsPath(path)).toBe(aws));

  it('have the AWS shape, without the token', () => {
    expect(awsError(new ServiceError('versionConflict', '', 'tok'), 'id')).toEqual({
      status: 409,
      headers: { 'content-type': 'application/json', 'x-amzn-errortype': 'ConflictException:' },
      body: { message: 'Version conflict', traceId: 'id' },
    });
  });

  it('have the shape of RFC 9457, with the token', () => {
    expect(problem(new ServiceError('versionConflict', '', 'tok'), 'id')).toEqual({
      status: 409,
      headers: { 'content-type': 'application/problem+json' },
      body: {
        type: 'urn:umbra:problem:version-conflict',
        title: 'Version conflict',
        status: 409,
        detail: 'Version conflict',
        instance: 'urn:uuid:id',
        requestId: 'id',
        clientToken: 'tok',
      },
    });
  });

  it('list every bad parameter', () => {
    const errors = [
      { parameter: 'a', message: 'a is bad' },
      { parameter: 'b', message: 'b is bad' },
    ];
    expect(problem(new QueryError(errors), 'id').body).toMatchObject({ detail: 'a is bad; b is bad', errors });
  });

  it.each(['tooManyRequests', 'storageUnavailable', 'draining'] as const)('say when to try again after %s', (code) => {
    for (const shape of [awsError, problem])
      expect(shape(new ServiceError(code), 'id').headers['retry-after']).toBe('1');
  });
});

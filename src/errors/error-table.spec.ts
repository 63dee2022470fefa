import { ERROR_TABLE, GRPC_BY_HTTP, type ErrorRow } from './error-table.js';

describe('the status of gRPC', () => {
  it.each(Object.entries<ErrorRow>(ERROR_TABLE))('of %s follows from its row', (code, { http, grpc }) => {
    expect(GRPC_BY_HTTP[http]).toBeDefined();
    // An exception from the rule says something else than the rule.
    expect([code, grpc]).not.toEqual([code, GRPC_BY_HTTP[http]]);
  });
});

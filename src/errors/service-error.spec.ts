import { ServiceError } from './service-error.js';

describe('ServiceError', () => {
  it('is a row of the table with its detail, taken literally', () => {
    const error = new ServiceError('invalidStateNode', "$& $' {detail}", 'k');
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ status: 400, awsType: 'InvalidRequestException', clientToken: 'k' });
    expect(error.message).toBe("State contains an invalid node: '$& $' {detail}'");
  });

  it('takes the token of its request once, and keeps its text', () => {
    const error = new ServiceError('tooDeep', '8');
    expect(error.withToken(undefined)).toBe(error);
    const named = error.withToken('k');
    expect(named).toMatchObject({ code: 'tooDeep', clientToken: 'k', message: error.message });
    expect(named.withToken('other')).toBe(named);
    expect(error.clientToken).toBeUndefined();
  });
});

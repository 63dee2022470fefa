import { echoToken } from './echo-token.js';
import { ServiceError } from './service-error.js';

describe('echoToken', () => {
  it('gives the token to an error that rejects the request', async () => {
    const rejected = echoToken('k', Promise.reject(new ServiceError('versionConflict')));
    await expect(rejected).rejects.toMatchObject({ code: 'versionConflict', clientToken: 'k' });
  });

  it('lets answers and other errors through as they are', async () => {
    const defect = new TypeError('defect');
    expect(await echoToken('k', Promise.resolve(1))).toBe(1);
    await expect(echoToken('k', Promise.reject(defect))).rejects.toBe(defect);
  });
});

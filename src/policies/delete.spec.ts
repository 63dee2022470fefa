import { aPrincipal, aTenant } from '../../test/suites/access-directory.suite.js';
import { MemoryClusterKeys } from '../../test/harness/memory-cluster-keys.js';
import { AccessDirectory } from '../directory/access-directory.js';
import { AccessWriter } from '../directory/access-writer.js';
import { Administration } from '../directory/administration.js';
import { withVersion } from '../directory/records/policy-record.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { DeletePolicy } from './delete.js';

const POLICY = withVersion(null, { document: '{}', createdAtMs: 1, createdBy: 'admin' });
let directory: AccessDirectory;
let writer: AccessWriter;
let deletion: DeletePolicy;

beforeEach(async () => {
  const keys = new MemoryClusterKeys();
  directory = new AccessDirectory(keys, SILENT_LOGGER);
  writer = new AccessWriter(keys, directory);
  deletion = new DeletePolicy(new Administration(directory, writer));
  directory.start();
  await directory.ready;
  await writer.create('policy', ['t1', 'p'], POLICY);
});
afterEach(() => directory.close());

const remove = () => deletion.delete(['t1', 'p'], undefined);

it('goes on only when nobody has the policy any more, and names who has', async () => {
  const tenant = await writer.create('tenant', ['t1'], aTenant({ policies: ['p'] }));
  const a = await writer.create('principal', ['t1', 'a'], aPrincipal({ policies: ['p', 'q'] }));
  await writer.create('principal', ['t2', 'a'], aPrincipal({ policies: ['p'] }));
  const group = await writer.create('group', ['t1', 'g'], { title: '', policies: ['p'], createdAtMs: 1 });
  await expect(remove()).rejects.toThrow("The tenant 't1' still has this policy, and 2 more do");
  await writer.update('tenant', ['t1'], aTenant(), tenant);
  await expect(remove()).rejects.toThrow("The group 'g' still has this policy, and 1 more do");
  await writer.delete('group', ['t1', 'g'], group);
  await expect(remove()).rejects.toThrow(/The principal 'a' still has this policy$/);
  await writer.update('principal', ['t1', 'a'], aPrincipal({ policies: ['q'] }), a);
  await remove();
  expect([directory.get('policy', 't1', 'p'), directory.holdersOf('t1', 'p'), directory.holdersOf('t2', 'p')]).toEqual([
    ...[null, 0, 1],
  ]);
});

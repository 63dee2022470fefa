import { KnownShadow } from './known-shadow.js';

it('is a key alone for whoever copies it, such as lines of the log', () => {
  const known = new KnownShadow('tenant', 'thing', null);
  known.storedName = '/prefix/shadows/00/tenant/thing/c';
  expect({ ...known }).toEqual({ tenant: 'tenant', thing: 'thing', name: null });
  expect(JSON.stringify(known)).toBe('{"tenant":"tenant","thing":"thing","name":null}');
  expect(known.storedName).toBe('/prefix/shadows/00/tenant/thing/c');
});

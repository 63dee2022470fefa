import { Chain, type Chained } from './chain.js';

class Link implements Chained {
  next: Chained | null = null;
  constructor(readonly name: string) {}
}

const names = (chain: Chain<Link>): string => [...chain].map(({ name }) => name).join('');

function chainOf(text: string): Chain<Link> {
  const chain = new Chain<Link>();
  for (const name of text) chain.push(new Link(name));
  return chain;
}

describe('Chain', () => {
  it('gives back in the order of arrival, again and again', () => {
    const chain = chainOf('ab');
    expect([chain.shift()?.name, chain.shift()?.name, chain.shift()]).toEqual(['a', 'b', null]);
    expect(chain.size).toBe(0);
    chain.push(new Link('c'));
    expect([chain.first?.name, chain.size]).toEqual(['c', 1]);
  });

  it.each([
    ['a', 'bc'],
    ['b', 'ac'],
    ['c', 'ab'],
  ])('takes %s out of any place', (name, left) => {
    const chain = chainOf('abc');
    expect(chain.take((link) => link.name === name)?.name).toBe(name);
    expect([names(chain), chain.size]).toEqual([left, 2]);
    chain.push(new Link('d'));
    expect(names(chain)).toBe(`${left}d`);
  });

  it('takes nothing where nothing fits', () => {
    const chain = chainOf('abc');
    expect(chain.take(() => false)).toBeNull();
    expect(chain.size).toBe(3);
  });
});

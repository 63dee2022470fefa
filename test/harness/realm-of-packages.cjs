/**
 * The environment of tests whose packages are loaded by `packages-once.cjs`. A file of tests still has a realm of its
 * own, and so its own `Object.prototype`, which a test may find changed. What packages ask of objects of that realm is
 * answered as when a node runs, where there is one realm.
 */
const { TestEnvironment } = require('jest-environment-node');

const ERRORS = ['Error', 'TypeError', 'RangeError', 'SyntaxError', 'AggregateError'];
/** What tests and src/ name so is what packages name so: Nest compares the types of members with `String`. */
const SHARED = ['String', 'Number', 'Boolean', 'Date', ...ERRORS];
/** What the realm makes, as `[]` or an error of JSON.parse, is an instance of the packages' class as well. */
const RELATED = ['Function', 'Array', 'Promise', 'RegExp', 'Map', 'Set', ...SHARED];

module.exports = class RealmOfPackages extends TestEnvironment {
  constructor(...args) {
    super(...args);
    for (const name of RELATED) Object.setPrototypeOf(this.global[name].prototype, globalThis[name].prototype);
    for (const name of SHARED) this.global[name] = globalThis[name];
    // reflect-metadata, a package, adds its functions to this one.
    this.global.Reflect = Reflect;
  }

  async teardown() {
    await super.teardown();
    await forgetClasses();
  }
};

/** These two keep every class with rules for ever, and with the class all modules of the file of tests that had it. */
async function forgetClasses() {
  delete globalThis.classValidatorMetadataStorage;
  const { defaultMetadataStorage } = await import('class-transformer/cjs/storage.js');
  for (const kept of Object.values(defaultMetadataStorage)) kept.clear();
}

// The prototype of `{}` can be given no other one, and grpc-js asks whether options are an instance of Object.
const ordinary = Function.prototype[Symbol.hasInstance];
Object.defineProperty(Object, Symbol.hasInstance, {
  configurable: true,
  value(value) {
    const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
    return this === Object && isObject ? Object.getPrototypeOf(value) !== null : ordinary.call(this, value);
  },
});

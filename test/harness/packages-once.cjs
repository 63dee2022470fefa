/**
 * A runtime for Jest that loads what stands in node_modules once for each worker, by Node's own loader. Jest's own links
 * and runs all of it anew for each file of tests: some thousand modules, and more processor time than most files of
 * tests need themselves. Our own modules are still loaded anew for each file.
 *
 * Node's loader runs packages in the realm of the worker, and the environment runs tests and src/ in a realm of their
 * own. `realm-of-packages.cjs` is the environment that goes with this runtime and has the two realms agree.
 */
const { isBuiltin } = require('node:module');
const { sep } = require('node:path');
const { SourceTextModule, SyntheticModule } = require('node:vm');
// It comes with jest, as the environment does.
const { default: Runtime } = require('jest-runtime');

/**
 * Relative and absolute paths, URLs, the package whose exports belong to the file that imports it, and the one that takes
 * no settings but objects of the very `Object` that it has itself.
 */
const LEFT_TO_JEST = /^[./]|^\w+:|^@jest\/globals$|^oidc-provider$|\.json$/;
const NODE_MODULES = `${sep}node_modules${sep}`;

/** From Node 24.9 on, Jest links modules in another way, which asks nobody; packages are loaded anew there. */
const IS_ASKED = typeof SourceTextModule.prototype.hasAsyncGraph !== 'function';

module.exports = class RuntimeWithPackagesOnce extends Runtime {
  #packages = new Map();

  constructor(...args) {
    super(...args);
    if (!IS_ASKED) return;
    const loader = this.esmLoader;
    const resolve = loader.resolveModule.bind(loader);
    // What a package imports that is left to Jest is left to it as well.
    const isLeft = (specifier, importer) =>
      LEFT_TO_JEST.test(specifier) || isBuiltin(specifier) || importer.includes(NODE_MODULES);
    loader.resolveModule = (specifier, importer, context) =>
      isLeft(specifier, importer) ? resolve(specifier, importer, context) : this.#package(specifier, context);
  }

  /** One module for each realm and specifier: an import of it by many files is the same module to each. */
  #package(specifier, context) {
    let found = this.#packages.get(specifier);
    if (found === undefined) {
      found = import(specifier).then((exports) => moduleOf(exports, specifier, context));
      this.#packages.set(specifier, found);
    }
    return found;
  }
};

function moduleOf(exports, identifier, context) {
  const names = Object.keys(exports);
  const copy = function () {
    for (const name of names) this.setExport(name, exports[name]);
  };
  return new SyntheticModule(names, copy, { context, identifier });
}

import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/**', 'src/sdk/dist/**', 'src/cli/dist/**', 'node_modules/**', 'data/**', 'coverage/**'] },
  ...tseslint.configs.recommended,
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // Small files, small functions.
      'max-lines': ['error', { max: 400 }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 6],
      'no-console': 'error',
      // One dialect of privacy: `#name`, which the language itself enforces. TypeScript's keyword stays for parameter
      // properties, which can have no other.
      'no-restricted-syntax': [
        'error',
        {
          selector: ':matches(MethodDefinition, PropertyDefinition)[accessibility="private"][kind!="constructor"]',
          message: 'Write `#name` instead of `private name`.',
        },
      ],
    },
  },
  // Jest loads the runtime of its tests by require().
  { files: ['test/harness/*.cjs'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
  // A describe() block is a function by grammar only.
  { files: ['**/*.spec.ts', 'test/**/*.ts'], rules: { 'max-lines-per-function': 'off' } },
  // One reader of the environment: src/config/environment.ts, and for the command its entry.
  {
    files: ['src/**/*.ts'],
    ignores: ['src/config/environment.ts', 'src/cli/main.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only src/config/environment.ts reads the environment.' },
      ],
    },
  },
  // The client library takes time, chance and network from its Platform, and runs in browsers.
  {
    files: ['src/sdk/**/*.ts'],
    ignores: ['src/sdk/platform.ts', '**/*.spec.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval', 'setImmediate', 'performance', 'fetch', 'crypto'].map((name) => ({
          name,
          message: 'Take it from the Platform (src/sdk/platform.ts), so that users and tests can replace it.',
        })),
        ...['process', 'Buffer', 'window', 'document', 'localStorage'].map((name) => ({
          name,
          message: 'The library runs in Node and in browsers.',
        })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Take it from the Clock (src/sdk/platform.ts).' },
        { object: 'Math', property: 'random', message: 'Take it from the Platform (src/sdk/platform.ts).' },
      ],
    },
  },
);

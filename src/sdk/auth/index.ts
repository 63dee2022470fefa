export type { Auth } from './auth.js';
export { anonymous, bearer } from './bearer.js';

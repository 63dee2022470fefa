/** Roles that every tenant has. Their rights are policy documents, which can be read like all others. */
export const BUILT_IN_ROLES = ['device', 'operator', 'viewer', 'service', 'tenant-admin', 'admin'] as const;
export type RoleName = (typeof BUILT_IN_ROLES)[number];

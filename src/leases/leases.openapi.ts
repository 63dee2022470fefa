import Type, { type Static } from 'typebox';
import { AFTER, LIMIT } from '../http/http.openapi.js';
import { STORE_ERRORS, type OperationDescription, type Tag } from '../http/openapi/describe.js';
import { headerParameter, pathParameter } from '../http/openapi/parameters.js';
import { MAX_NAMES, TTL } from './lease-record.js';

const LEASES: Tag = { name: 'Leases', description: 'The right to be the one writer of things, for a time', place: 35 };

const things = Type.Array(Type.String(), {
  minItems: 1,
  maxItems: MAX_NAMES,
  description: 'Names of things, and prefixes that end with an asterisk.',
});
const ttlSeconds = Type.Integer({
  minimum: TTL.least,
  maximum: TTL.most,
  default: TTL.usual,
  description: 'How long the lease lives after it was taken or renewed.',
});

const exclusive = Type.Boolean({
  default: false,
  description: "Whether it keeps everybody else's writes from `desired` of its things.",
});

const LeaseRequest = Type.Object(
  { things, ttlSeconds: Type.Optional(ttlSeconds), exclusive: Type.Optional(exclusive) },
  { $id: 'LeaseRequest' },
);

const members = {
  lease: Type.String({ description: 'Id, for the header Umbra-Lease.' }),
  token: Type.Integer({ description: 'The fence: a later lease has a higher one.' }),
  principal: Type.String({ description: 'Who holds it.' }),
  things,
  ttlSeconds,
  exclusive,
  createdAt: Type.String({ description: 'RFC 3339.' }),
};
export const LeaseView = Type.Object(members, { $id: 'Lease' });
export type LeaseView = Static<typeof LeaseView>;

export const TakenLease = Type.Object(
  {
    ...members,
    expiresAt: Type.String({
      description: 'RFC 3339, by the clock of the node; the lease ends no earlier unless it is given back.',
    }),
  },
  { $id: 'TakenLease' },
);
export type TakenLease = Static<typeof TakenLease>;

export const Leases = Type.Object(
  { leases: Type.Array(LeaseView), next: Type.Optional(Type.String()) },
  { $id: 'Leases' },
);
export type Leases = Static<typeof Leases>;

const LEASE: LeaseView = {
  lease: 'q0yJ3c5nT1Wb9kZrV7uXgA',
  token: 4711,
  principal: 'heating',
  things: ['boiler-1', 'valve-*'],
  ttlSeconds: 30,
  exclusive: false,
  createdAt: '2023-11-14T22:13:20.000Z',
};
const TAKEN: TakenLease = { ...LEASE, expiresAt: '2023-11-14T22:13:50.000Z' };
const ID = pathParameter('lease', 'Id of the lease.', { pattern: '^[A-Za-z0-9_-]{22}$' });

const REFUSED = {
  credentialsMissing: '',
  credentialsUnknown: '',
  credentialsExpired: '',
  credentialsRevoked: '',
  notAllowed: 'umbra:Lease on thing/boiler-1',
} as const;
const OF_ONE = { ...REFUSED, noRecord: 'lease of this id; it has ended, or was never taken', ...STORE_ERRORS } as const;

/** The header of writes under a lease. */
export const UMBRA_LEASE = headerParameter(
  'Umbra-Lease',
  'Id of a lease of the caller: the write counts only while it lives. Else 409.',
);
/** Errors of writes under a lease. */
export const LEASE_ERRORS = {
  leaseEnded: '',
  leaseNotYours: '',
  leaseNotCovering: 'lamp-1',
  leaseExclusive: 'lamp-1; it ends 30 s after its holder has renewed it last',
} as const;

export const takeLease: OperationDescription = {
  id: 'takeLease',
  tag: LEASES,
  summary: 'Take a lease of things',
  description:
    'No other lease of the tenant is about any of these things. With `exclusive`, writes to their `desired` are refused unless they carry this lease. Repeat a request without an answer after ttlSeconds: its lease may live until then.',
  body: {
    schema: LeaseRequest,
    required: true,
    examples: { lease: { things: ['boiler-1', 'valve-*'], ttlSeconds: 30 } },
  },
  answers: { 201: { description: 'Taken', schema: TakenLease, examples: { lease: TAKEN } } },
  errors: {
    ...REFUSED,
    ...STORE_ERRORS,
    invalidJson: ': Unexpected end of JSON input',
    invalidRequest: `things must be a list of 1 to ${MAX_NAMES} names, or prefixes such as "lamp-*"`,
    forbidden: '',
    leaseHeld: 'valve-*, in the lease q0yJ3c5nT1Wb9kZrV7uXgA',
    tooLarge: '',
    storageFull: '',
  },
};

export const renewLease: OperationDescription = {
  id: 'renewLease',
  tag: LEASES,
  summary: 'Renew a lease: its time begins again',
  parameters: [ID],
  answers: { 200: { description: 'Renewed', schema: TakenLease, examples: { lease: TAKEN } } },
  errors: { ...OF_ONE, forbidden: '', leaseNotYours: '' },
};

export const getLease: OperationDescription = {
  id: 'getLease',
  tag: LEASES,
  summary: 'A lease that lives',
  parameters: [ID],
  answers: { 200: { description: 'The lease', schema: LeaseView, examples: { lease: LEASE } } },
  errors: OF_ONE,
};

export const listLeases: OperationDescription = {
  id: 'listLeases',
  tag: LEASES,
  summary: 'Leases of the tenant that live',
  description: 'Those of the caller, and those about nothing but things that the caller may lease.',
  parameters: [LIMIT, AFTER],
  answers: {
    200: {
      description: 'A page; without `next` the last one',
      schema: Leases,
      examples: { page: { leases: [LEASE] } },
    },
  },
  errors: { ...REFUSED, ...STORE_ERRORS, invalidRequest: 'limit must be given once, as a whole number from 1 to 100' },
};

export const endLease: OperationDescription = {
  id: 'endLease',
  tag: LEASES,
  summary: 'Give a lease back',
  parameters: [ID],
  answers: { 204: { description: 'It has ended' } },
  errors: { ...OF_ONE, forbidden: '', leaseNotYours: '' },
};

/** A listener for HTTP, without or with TLS. */
export const HTTP_LISTENERS = ['http', 'https'] as const;
export type HttpListener = (typeof HTTP_LISTENERS)[number];
/** A listener for gRPC, likewise. */
export const GRPC_LISTENERS = ['grpc', 'grpcs'] as const;
export type GrpcListener = (typeof GRPC_LISTENERS)[number];

/** Says what a listener lets through at all, whoever asks. */
export interface RouteGuard {
  /**
   * @param method of HTTP; POST for a call of gRPC
   * @param target path and query as they were sent. No errors.
   */
  admits(listener: HttpListener | GrpcListener, method: string, target: string): boolean;
}

/** Injection token of the RouteGuard. */
export const ROUTE_GUARD = Symbol('RouteGuard');

/** Of a node without authentication, which has no records of access. */
export const ALL_ROUTES: RouteGuard = { admits: () => true };

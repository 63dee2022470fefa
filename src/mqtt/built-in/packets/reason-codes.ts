/** MQTT 5 reason codes (MQTT 5.0 section 2.4) that this door reads or sends. MQTT 3.1.1 has return codes for some of them. */
export const REASON = {
  success: 0x00,
  grantedQos1: 0x01,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  continueAuthentication: 0x18,
  reAuthenticate: 0x19,
  unspecified: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecific: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicNameInvalid: 0x90,
  packetIdentifierInUse: 0x91,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  messageRateTooHigh: 0x96,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
  useAnotherServer: 0x9c,
  sharedSubscriptionsNotSupported: 0x9e,
  connectionRateExceeded: 0x9f,
} as const;

/** SUBACK of MQTT 3.1.1 knows one failure (MQTT-3.9.3-2). */
export const SUBACK_FAILURE = 0x80;

/** Return codes of CONNACK in MQTT 3.1.1 (section 3.2.2.3) by the reason of MQTT 5. */
const RETURN_CODES = new Map<number, number>([
  [REASON.success, 0],
  [REASON.unsupportedProtocolVersion, 1],
  [REASON.clientIdentifierNotValid, 2],
  [REASON.serverUnavailable, 3],
  [REASON.serverBusy, 3],
  [REASON.serverShuttingDown, 3],
  [REASON.quotaExceeded, 3],
  [REASON.useAnotherServer, 3],
  [REASON.connectionRateExceeded, 3],
  [REASON.badUserNameOrPassword, 4],
  [REASON.badAuthenticationMethod, 5],
  [REASON.notAuthorized, 5],
]);

/** null: MQTT 3.1.1 has no such return code, and the connection is closed without a CONNACK (MQTT-3.2.2-6). */
export function connackReturnCode(reason: number): number | null {
  return RETURN_CODES.get(reason) ?? null;
}

import { FlatTexts } from './flat-texts.js';
import { emptyObject, isObject, own } from './json.js';
import { mirror } from './metadata.js';
import type { Json, JsonObject, Metadata, MetadataObject } from './shadow-document.js';

/**
 * Metadata as a record keeps it: a number, in epoch seconds, stands for a whole value whose leaves were all set then,
 * which is nearly always so. Else it mirrors the value: members of objects, elements of arrays. A leaf is a number, so
 * a member called `timestamp` is an ordinary one. What a damaged record lacks is absent.
 */
export type Stamps = number | Stamps[] | StampsObject;
export interface StampsObject {
  [member: string]: Stamps;
}

/** JSON of a leaf; nearly all leaves of a message have the same stamp. */
let lastSeconds = NaN;
let lastLeaf = '';
function leafText(seconds: number): string {
  if (seconds !== lastSeconds) {
    lastSeconds = seconds;
    lastLeaf = `{"timestamp":${seconds}}`;
  }
  return lastLeaf;
}

const flatTexts = new FlatTexts();

/** Names of members as JSON, with their colon. Devices use few names; the bound is for those that do not. */
const MAX_NAMES = 4096;
const MAX_NAME_LENGTH = 64;
const quotedNames = new Map<string, string>();

/** A member's name as JSON, with its colon. No errors. */
export function nameText(name: string): string {
  const known = quotedNames.get(name);
  if (known !== undefined) return known;
  const text = `${JSON.stringify(name)}:`;
  if (name.length > MAX_NAME_LENGTH) return text;
  if (quotedNames.size >= MAX_NAMES) quotedNames.clear();
  quotedNames.set(name, text);
  return text;
}

/**
 * JSON of the metadata of a value, all of it set at one time. No errors.
 * @param seconds since the epoch
 */
export function mirrorText(value: Json, seconds: number): string {
  if (typeof value !== 'object' || value === null) return leafText(seconds);
  if (Array.isArray(value)) return mirrorOfArray(value, seconds);
  const known = flatTexts.find(value, seconds);
  if (known !== null) return known;
  const text = mirrorOfObject(value, seconds);
  flatTexts.offer(value, seconds, text);
  return text;
}

function mirrorOfArray(value: readonly Json[], seconds: number): string {
  let text = '';
  for (const element of value) text += (text === '' ? '' : ',') + mirrorText(element, seconds);
  return `[${text}]`;
}

function mirrorOfObject(value: JsonObject, seconds: number): string {
  let text = '';
  for (const member of Object.keys(value)) {
    text += (text === '' ? '' : ',') + nameText(member) + mirrorText(value[member]!, seconds);
  }
  return `{${text}}`;
}

/** JSON of the metadata of a value, or of a part of it with the members of the whole. No errors. */
export function metadataText(value: Json, stamps: Stamps): string {
  if (typeof stamps === 'number') return mirrorText(value, stamps);
  return JSON.stringify(expandStamps(value, stamps));
}

/** The metadata that stamps stand for. Without stamps a scalar has none. No errors. */
export function expandStamps(value: Json, stamps: Stamps | undefined): Metadata | undefined {
  return typeof stamps === 'number' ? mirror(value, { timestamp: stamps }) : expandParts(value, stamps);
}

function expandParts(value: Json, stamps: Exclude<Stamps, number> | undefined): Metadata | undefined {
  if (stamps === undefined) return undefined;
  if (Array.isArray(value)) {
    if (!Array.isArray(stamps)) return undefined;
    return value.map((element, i) => expandStamps(element, stamps[i]) ?? emptyObject<MetadataObject>());
  }
  if (!isObject(value) || Array.isArray(stamps)) return undefined;
  const node = emptyObject<MetadataObject>();
  for (const member of Object.keys(value)) {
    const below = expandStamps(value[member]!, own(stamps, member));
    if (below !== undefined) node[member] = below;
  }
  return node;
}

/** The stamps that metadata in full stands for; undefined where it does not mirror the value. No errors. */
export function compactMetadata(value: Json, metadata: Metadata | undefined): Stamps | undefined {
  if (typeof metadata !== 'object' || metadata === null) return undefined;
  if (Array.isArray(value)) {
    if (!Array.isArray(metadata)) return undefined;
    const parts = value.map((element, i) => compactMetadata(element, metadata[i]) ?? emptyObject<StampsObject>());
    return sameNumber(parts) ?? parts;
  }
  if (Array.isArray(metadata)) return undefined;
  if (!isObject(value)) {
    const stamp = own(metadata as { readonly timestamp: unknown }, 'timestamp');
    return typeof stamp === 'number' && Number.isFinite(stamp) ? stamp : undefined;
  }
  const members = emptyObject<StampsObject>();
  for (const member of Object.keys(value)) {
    const below = compactMetadata(value[member]!, own(metadata as MetadataObject, member));
    if (below !== undefined) members[member] = below;
  }
  const below = Object.values(members);
  return (below.length === Object.keys(value).length ? sameNumber(below) : undefined) ?? members;
}

/**
 * JSON of stamps in a record. Where an object's members differ it is `[stamp, {member: stamp}]`, the stamp of most of them
 * and the others: an update of a few members leaves all others as they were. No errors.
 */
export function stampsText(value: Json, stamps: Stamps): string {
  if (typeof stamps === 'number') return String(stamps);
  if (Array.isArray(stamps) || !isObject(value)) return JSON.stringify(stamps);
  const members = Object.keys(value);
  const common = commonStamp(members, stamps);
  let text = '';
  for (const member of members) {
    const stamp = own(stamps, member);
    // A damaged record lacks it, and none may stand for it.
    if (stamp === undefined) return JSON.stringify(stamps);
    if (stamp !== common) text += (text === '' ? '' : ',') + nameText(member) + stampsText(value[member]!, stamp);
  }
  return common === undefined ? `{${text}}` : `[${common},{${text}}]`;
}

/** The stamp that more than half of the members have, else one that a member has; undefined when none is a number. */
function commonStamp(members: readonly string[], stamps: StampsObject): number | undefined {
  let common: number | undefined;
  let lead = 0;
  for (const member of members) {
    const stamp = own(stamps, member);
    if (typeof stamp !== 'number') continue;
    if (stamp === common) lead++;
    else if (lead > 0) lead--;
    else [common, lead] = [stamp, 1];
  }
  return common;
}

/** The stamps of a value as JSON of a record has them; what a damaged record has instead is left out. No errors. */
export function readStamps(value: Json, json: Json | undefined): Stamps | undefined {
  // A number too large for a double would be written as one that JSON does not have.
  if (typeof json === 'number') return Number.isFinite(json) ? json : undefined;
  if (typeof json !== 'object' || json === null) return undefined;
  if (Array.isArray(value)) {
    if (!Array.isArray(json)) return undefined;
    return value.map((element, i) => readStamps(element, json[i]) ?? emptyObject<StampsObject>());
  }
  if (!isObject(value)) return undefined;
  const [common, others] = Array.isArray(json) ? json : [undefined, json];
  if (!isObject(others)) return undefined;
  const stamps = emptyObject<StampsObject>();
  for (const member of Object.keys(value)) {
    const below = readStamps(value[member]!, own(others, member) ?? common);
    if (below !== undefined) stamps[member] = below;
  }
  return stamps;
}

function sameNumber(parts: readonly Stamps[]): number | undefined {
  const [first] = parts;
  if (typeof first !== 'number') return undefined;
  return parts.every((part) => part === first) ? first : undefined;
}

/**
 * The stamps of a section after a merge: members that the patch names get `seconds`, all others keep theirs (PROTOCOL
 * 2.3). The walk follows the shapes of the states. Pure; unchanged parts are shared. No errors: what is missing in
 * `before` stays missing.
 * @param before section and its stamps before the merge
 * @param after the merged section, from `mergeSection`
 * @param seconds the stamp, in epoch seconds
 */
export function mergeStamps(
  before: { readonly state: JsonObject; readonly stamps: Stamps | undefined },
  after: JsonObject,
  patch: JsonObject,
  seconds: number,
): Stamps | undefined {
  const { state, stamps } = before;
  if (after === state) return stamps;
  const members = emptyObject<StampsObject>();
  let only: Stamps | undefined = undefined;
  let isUniform = true;
  for (const member of Object.keys(after)) {
    const stamp = mergeMember(state, stamps, after[member]!, own(patch, member), member, seconds);
    if (stamp === undefined || typeof stamp !== 'number' || (only !== undefined && stamp !== only)) isUniform = false;
    only ??= stamp;
    if (stamp !== undefined) members[member] = stamp;
  }
  if (only === undefined && isUniform) return seconds;
  return isUniform ? only : members;
}

function mergeMember(
  state: JsonObject,
  stamps: Stamps | undefined,
  value: Json,
  change: Json | undefined,
  member: string,
  seconds: number,
): Stamps | undefined {
  const old = typeof stamps === 'number' || stamps === undefined ? stamps : memberOf(stamps, member);
  if (change === undefined) return old;
  if (!isObject(change) || !isObject(value)) return seconds;
  const before = own(state, member);
  return isObject(before) ? mergeStamps({ state: before, stamps: old }, value, change, seconds) : seconds;
}

function memberOf(stamps: Stamps[] | StampsObject, member: string): Stamps | undefined {
  return Array.isArray(stamps) ? undefined : own(stamps, member);
}

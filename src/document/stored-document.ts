import { isObject } from './json.js';
import { compactMetadata, expandStamps, metadataText, readStamps, stampsText, type Stamps } from './stamps.js';
import type {
  ChangeRecord,
  ChangeTrace,
  Json,
  JsonObject,
  MetadataObject,
  Section,
  ShadowDocument,
  StatePatch,
} from './shadow-document.js';
import { SECTIONS } from './shadow-document.js';

/** One section of a document with its JSON, which is made once, when it is first wanted. */
export class StoredSection {
  #text: string | null;

  /** @param text JSON of `members`; null: not made yet */
  constructor(
    readonly members: JsonObject,
    /** Absent in a damaged record. */
    readonly stamps: Stamps | undefined,
    text: string | null = null,
  ) {
    this.#text = text;
  }

  /** JSON of the members. */
  get text(): string {
    return (this.#text ??= JSON.stringify(this.members));
  }
}

/**
 * A document with the texts that the record and the messages are put together from: a section that an update does not
 * touch is not made into text again. Its members and stamps are read only.
 */
export class StoredDocument implements ShadowDocument {
  #acceptedHead: string | null = null;

  constructor(
    readonly version: number,
    readonly desiredSection: StoredSection | null,
    readonly reportedSection: StoredSection | null,
  ) {}

  /** The document itself, or one with texts that is equal to it. No errors. */
  static of(document: ShadowDocument): StoredDocument {
    if (document instanceof StoredDocument) return document;
    const [desired, reported] = SECTIONS.map((name) => {
      const members = document[name];
      return members ? new StoredSection(members, compactMetadata(members, document.metadata[name])) : null;
    });
    return new StoredDocument(document.version, desired!, reported!);
  }

  get desired(): JsonObject | undefined {
    return this.desiredSection?.members;
  }

  get reported(): JsonObject | undefined {
    return this.reportedSection?.members;
  }

  /** In full, made anew at each call. */
  get metadata(): { readonly desired?: MetadataObject; readonly reported?: MetadataObject } {
    const metadata: { desired?: MetadataObject; reported?: MetadataObject } = {};
    for (const name of SECTIONS) {
      const section = name === 'desired' ? this.desiredSection : this.reportedSection;
      const nodes = section && expandStamps(section.members, section.stamps);
      if (nodes) metadata[name] = nodes as MetadataObject;
    }
    return metadata;
  }

  /** JSON of `{desired, reported}`, and of more members after them. */
  stateText(more = ''): string {
    const desired = this.desiredSection === null ? '' : `"desired":${this.desiredSection.text}`;
    const reported = this.reportedSection === null ? '' : `"reported":${this.reportedSection.text}`;
    return `{${joined(joined(desired, reported), more)}}`;
  }

  /** JSON of the metadata in full. */
  metadataText(): string {
    return `{${joined(stampedText('desired', this.desiredSection), stampedText('reported', this.reportedSection))}}`;
  }

  /** What `make` makes of this document, kept with it. */
  keepAcceptedHead(make: (document: StoredDocument) => string): string {
    return (this.#acceptedHead ??= make(this));
  }

  /** The document as plain data, as it would be without texts. */
  toJSON(): ShadowDocument {
    const { version, desired, reported, metadata } = this;
    return { version, ...(desired && { desired }), ...(reported && { reported }), metadata };
  }
}

function joined(one: string, other: string): string {
  return one === '' || other === '' ? one + other : `${one},${other}`;
}

function stampedText(name: string, section: StoredSection | null): string {
  if (section?.stamps === undefined) return '';
  return `"${name}":${metadataText(section.members, section.stamps)}`;
}

/** A document as JSON of a record holds it, beside other members; docs/etcd.md has the meaning of each name. */
export interface PackedDocument {
  d?: JsonObject;
  dt?: Json;
  r?: JsonObject;
  rt?: Json;
}

/** The members of PackedDocument as JSON, each with a comma before it. No errors. */
export function packedText({ desiredSection, reportedSection }: StoredDocument): string {
  return packedSection('d', desiredSection) + packedSection('r', reportedSection);
}

function packedSection(name: 'd' | 'r', section: StoredSection | null): string {
  if (section === null) return '';
  const { members, text, stamps } = section;
  return `,"${name}":${text}${stamps === undefined ? '' : `,"${name}t":${stampsText(members, stamps)}`}`;
}

/**
 * The document of parsed JSON.
 * @throws Error when a section is no object
 */
export function unpack(version: number, { d, dt, r, rt }: PackedDocument): StoredDocument {
  return new StoredDocument(version, unpackSection(d, dt), unpackSection(r, rt));
}

function unpackSection(members: JsonObject | undefined, stamps: Json | undefined): StoredSection | null {
  if (members === undefined) return null;
  if (!isObject(members)) throw new Error('not a shadow record: a section is an object');
  return new StoredSection(members, readStamps(members, stamps));
}

/** An update as a record keeps it, with the JSON of its patch, which is made once. */
export class StoredUpdate implements ChangeRecord {
  readonly kind = 'update';
  #patchText: string | null;
  readonly #trace: ChangeTrace | undefined;

  /**
   * @param at epoch milliseconds
   * @param patchText JSON of `patch`; null: not made yet
   */
  constructor(
    readonly patch: StatePatch | undefined,
    readonly clientToken: string | undefined,
    readonly principal: string,
    readonly at: number,
    patchText: string | null = null,
    trace?: ChangeTrace,
  ) {
    this.#patchText = patchText;
    this.#trace = trace;
  }

  get trace(): ChangeTrace | undefined {
    return this.#trace;
  }

  /** JSON of the patch, `null` when there is none. */
  get patchText(): string {
    return (this.#patchText ??= JSON.stringify(this.patch ?? null));
  }
}

/** JSON of the patch of a change, `null` when there is none. No errors. */
export function patchTextOf(change: ChangeRecord): string {
  return change instanceof StoredUpdate ? change.patchText : JSON.stringify(change.patch ?? null);
}

/**
 * JSON of a patch that has made this document: a section that is the patch itself has its text already. No errors.
 */
export function patchTextFor(patch: StatePatch, document: StoredDocument): string {
  if (patch === null) return 'null';
  let text = '';
  for (const name of Object.keys(patch)) {
    const change = patch[name as Section]!;
    const section = name === 'desired' ? document.desiredSection : document.reportedSection;
    const value = section !== null && section.members === change ? section.text : JSON.stringify(change);
    text += `${text === '' ? '' : ','}"${name}":${value}`;
  }
  return `{${text}}`;
}

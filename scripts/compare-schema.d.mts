/** A default as JSON has it; undefined where the source gives an expression. */
export type Default = string | number | boolean | null | undefined;
export function settingsOf(source: string): Map<string, Default>;
export function knownOf(schema: object): Map<string, Default>;
export function compare(
  known: ReadonlyMap<string, Default>,
  settings: ReadonlyMap<string, Default>,
): { readonly added: string[]; readonly gone: string[]; readonly changed: string[] };

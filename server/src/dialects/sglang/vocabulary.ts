import { keysBelow, schemaAt, type JsonSchema } from '../common/json-schema';
import { sglangSchema } from '../schemas';
import type { Vocabulary } from '../vocabulary';
import { isSupported, matchKey } from './keys';

/** Where a config file may not hold the successor, the deprecated spelling is the right one. */
function inFile(schema: JsonSchema): JsonSchema {
  const successor = schema['x-deprecated'];
  if (typeof successor !== 'string' || isSupported(successor)) return schema;
  const { 'x-deprecated': _successor, ...rest } = schema;
  return rest;
}

/** Flat keys, each a flag of the server. */
export const sglangVocabulary: Vocabulary = {
  root: sglangSchema,
  at: (path) => {
    if (path.length !== 1) return undefined;
    const match = matchKey(String(path[0]));
    const flag = 'flag' in match ? match.flag : undefined;
    const schema = flag === undefined ? undefined : schemaAt(sglangSchema, [flag]);
    return flag === undefined || schema === undefined ? undefined : { key: flag, schema: inFile(schema) };
  },
  below: (path) =>
    path.length > 0
      ? []
      : keysBelow(sglangSchema, sglangSchema).flatMap(([key, schema]) =>
          isSupported(key) ? [[key, inFile(schema)] as const] : [],
        ),
};

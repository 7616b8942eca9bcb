import { keysBelow, schemaAt } from '../common/json-schema';
import type { Vocabulary } from '../vocabulary';
import { matchVllmKey } from './keys';
import { vllmSchema } from './schema-data';

/** Flat keys, each an option of the server; those that take JSON nest further. */
export const vllmVocabulary: Vocabulary = {
  root: vllmSchema,
  at: (path) => {
    const [first, ...rest] = path;
    const match = first === undefined ? undefined : matchVllmKey(String(first));
    const flag = match !== undefined && 'flag' in match && match.kind !== 'removed' ? match.flag : undefined;
    const schema = flag === undefined ? undefined : schemaAt(vllmSchema, [flag, ...rest]);
    return flag === undefined || schema === undefined
      ? undefined
      : { key: rest.length === 0 ? flag : String(path.at(-1)), schema };
  },
  below: (path) => {
    const [first, ...rest] = path;
    const match = first === undefined ? undefined : matchVllmKey(String(first));
    if (first === undefined) return keysBelow(vllmSchema, vllmSchema);
    const flag = match !== undefined && 'flag' in match && match.kind !== 'removed' ? match.flag : undefined;
    const schema = flag === undefined ? undefined : schemaAt(vllmSchema, [flag, ...rest]);
    return schema === undefined ? [] : keysBelow(vllmSchema, schema);
  },
};

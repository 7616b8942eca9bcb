import { keysBelow, schemaAt } from '../common/json-schema';
import { megatronFlags, megatronSchema } from '../schemas';
import type { Vocabulary } from '../vocabulary';
import { matchMegatronKey } from './arguments';

const SECTIONS = new Set(['language_model', 'model_parallel']);

/** Flags below MODEL_ARGS, their snake_case destinations elsewhere. */
export const megatronVocabulary: Vocabulary = {
  root: megatronSchema,
  at: (path) => {
    const inner = path[0] === 'MODEL_ARGS' ? path.slice(1) : SECTIONS.has(String(path[0])) ? path.slice(1) : path;
    if (path[0] === 'ENV_VARS') return undefined;
    if (inner.length === 1) {
      const match = matchMegatronKey(String(inner[0]));
      if (match !== undefined)
        return { key: path[0] === 'MODEL_ARGS' ? match.flag : String(inner[0]), schema: match.schema };
    }
    const schema = path.length === 0 ? undefined : schemaAt(megatronSchema, path);
    return schema === undefined ? undefined : { key: String(path.at(-1)), schema };
  },
  below: (path) => {
    const flags = Object.entries(megatronFlags);
    if (path[0] === 'MODEL_ARGS') return path.length === 1 ? flags : [];
    if (path.length > 0 && !SECTIONS.has(String(path[0]))) return [];
    const snake = flags.map(([flag, schema]) => [flag.slice(2).replaceAll('-', '_'), schema] as const);
    return path.length > 0 ? snake : [...keysBelow(megatronSchema, megatronSchema), ...snake];
  },
};

const snakeFlags = Object.entries(megatronFlags).map(
  ([flag, schema]) => [flag.slice(2).replaceAll('-', '_'), schema] as const,
);

/** Megatron's arguments as fields of the configuration classes that frameworks on top of it fill from sections. */
export const megatronFieldVocabulary: Vocabulary = {
  root: megatronSchema,
  at: (path) => {
    const match = path.length === 2 ? matchMegatronKey(String(path[1])) : undefined;
    return match === undefined ? undefined : { key: String(path[1]), schema: match.schema };
  },
  below: (path) => (path.length === 1 && path[0] === 'model' ? snakeFlags : []),
};

import recipeJson from '../../../../schemas/llm-compressor.schema.json';
import type { JsonSchema } from '../common/json-schema';

/** Stages, modifiers and their arguments. */
export const recipeSchema = recipeJson as unknown as JsonSchema;

/** Arguments by modifier. */
export const modifierSchemas: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  Object.entries(recipeSchema.definitions ?? {}).filter(([name]) => name.endsWith('Modifier')),
);

import schemaJson from '../../../../schemas/axolotl.schema.json';
import type { JsonSchema } from '../common/json-schema';

export const axolotlSchema = schemaJson as unknown as JsonSchema;

import schemaJson from '../../../../schemas/verl.schema.json';
import type { JsonSchema } from '../common/json-schema';

export const verlSchema = schemaJson as unknown as JsonSchema;

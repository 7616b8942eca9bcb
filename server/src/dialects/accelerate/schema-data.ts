import schemaJson from '../../../../schemas/accelerate.schema.json';
import type { JsonSchema } from '../common/json-schema';

export const accelerateSchema = schemaJson as unknown as JsonSchema;

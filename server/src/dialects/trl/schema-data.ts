import schemaJson from '../../../../schemas/trl.schema.json';
import type { JsonSchema } from '../common/json-schema';

export const trlSchema = schemaJson as unknown as JsonSchema;

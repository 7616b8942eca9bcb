import schemaJson from '../../../../schemas/nemo-rl.schema.json';
import type { JsonSchema } from '../common/json-schema';

export const nemoRlSchema = schemaJson as unknown as JsonSchema;

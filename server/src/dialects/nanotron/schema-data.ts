import schemaJson from '../../../../schemas/nanotron.schema.json';
import type { JsonSchema } from '../common/json-schema';

/** Keys of nanotron's Config and the classes inside it. */
export const nanotronSchema = schemaJson as unknown as JsonSchema;

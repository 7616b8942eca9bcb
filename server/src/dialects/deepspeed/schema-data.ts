import schemaJson from '../../../../schemas/deepspeed.schema.json';
import type { JsonSchema } from '../common/json-schema';

export const deepSpeedSchema = schemaJson as unknown as JsonSchema;

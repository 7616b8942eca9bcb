import placementJson from '../../../../schemas/placement.schema.json';
import type { JsonSchema } from '../common/json-schema';

/** Keys of the frameworks' placement files. */
export const placementSchema = placementJson as unknown as JsonSchema;

import schemaJson from '../../../../schemas/nemo-automodel.schema.json';
import type { JsonSchema } from '../common/json-schema';

/** Sections of Automodel's recipes; most are arguments of whatever class they name. */
export const automodelSchema = schemaJson as unknown as JsonSchema;

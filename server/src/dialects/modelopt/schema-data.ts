import modeloptJson from '../../../../schemas/modelopt.schema.json';
import type { JsonSchema } from '../common/json-schema';

/** Keys of ModelOpt's quantization configs and of their fragments. */
export const modeloptSchema = modeloptJson as unknown as JsonSchema;

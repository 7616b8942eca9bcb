import flavorsJson from '../../../../schemas/torchtitan-flavors.json';
import schemaJson from '../../../../schemas/torchtitan.schema.json';
import type { JsonSchema } from '../common/json-schema';

/** A key of the job configuration; `x-in` holds the positions in `x-versions` of the versions that have it. */
export interface TitanKey extends JsonSchema {
  readonly 'x-in'?: string;
}

/** Keys of torchtitan's job configuration over its TOML versions. */
export const titanSchema = schemaJson as unknown as JsonSchema & { readonly 'x-versions': readonly string[] };

/** Sizes of one flavor, in the Plan's names; `moeStep` is every how many layers have experts, `denseFirst` how many have none. */
export type Flavor = Readonly<Record<string, number | string | boolean>>;

/** Model sizes by family and flavor. */
export const titanFlavors = (
  flavorsJson as { readonly models: Readonly<Record<string, Readonly<Record<string, Flavor>>>> }
).models;

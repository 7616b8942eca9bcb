import type { DType, QuantizationOverride, QuantizationSpec } from '../../engine/spec/numbers';
import type { Planned, Sourced } from '../../plan/plan';
import type { Entry } from '../../syntax/tree';
import { placeOf } from '../common/nodes';
import { derived, present } from '../common/sourced';
import { integersOf, textsOf, type Fields } from './fields';
import type { Notes } from './findings';

type Part = Planned<QuantizationSpec>;

/** One entry of `config_groups`, in our terms. */
interface Group {
  readonly format: Omit<QuantizationOverride, 'modules'> &
    Pick<
      QuantizationSpec,
      'blockRows' | 'blockColumns' | 'weightBits' | 'zeroPoints' | 'activationOrder' | 'staticActivations'
    >;
  /** Module patterns; absent where the group takes every Linear. */
  readonly modules?: readonly string[];
  readonly entry: Entry;
}

/** Targets are class names or module names; `Linear` means all of them. */
function modulesOf(group: Fields): readonly string[] | undefined {
  const targets = group.list('targets');
  const words = targets === undefined ? undefined : textsOf(targets.node);
  if (words === undefined || words.includes('Linear')) return undefined;
  return words;
}

function floatMethod(
  bits: number,
  strategy: string,
  size: number | undefined,
  format: string,
): QuantizationSpec['method'] | undefined {
  if (bits === 4) return format.startsWith('mxfp4') || size === 32 ? 'mxfp4' : 'nvfp4';
  if (bits !== 8) return undefined;
  if (format.startsWith('mxfp8') || (strategy === 'group' && size === 32)) return 'mxfp8';
  if (strategy === 'block') return 'fp8-block';
  return strategy === 'channel' ? 'fp8-channel' : 'fp8-tensor';
}

function methodOf(weights: Fields, format: string): QuantizationSpec['method'] | undefined {
  const bits = weights.size(['num_bits'])?.value ?? 8;
  const type = weights.text('type')?.value ?? 'int';
  const size = weights.size(['group_size'], -1)?.value;
  const strategy = weights.text('strategy')?.value ?? (size === undefined ? 'tensor' : 'group');
  if (type === 'float') return floatMethod(bits, strategy, size, format);
  return bits === 8 ? 'int8' : 'int4-group';
}

function readGroup(entry: Entry, group: Fields, common: string): Group | undefined {
  const weights = group.inner('weights');
  if (weights === undefined) return undefined;
  const format = group.text('format')?.value ?? common;
  // `dense` files hold the weights unpacked: the scheme is only simulated.
  const method = format === 'dense' ? 'none' : methodOf(weights, format);
  if (method === undefined) return undefined;
  const bits = weights.size(['num_bits'])?.value ?? 8;
  const size = weights.size(['group_size'], -1)?.value;
  const structure = weights.list('block_structure');
  const [rows, columns] = (structure === undefined ? undefined : integersOf(structure.node)) ?? [];
  const packed = method === 'int4-group' || (method === 'int8' && size !== undefined);
  const integer = method === 'int4-group' && bits !== 4;
  return {
    entry,
    ...((modules): { modules?: readonly string[] } => (modules === undefined ? {} : { modules }))(modulesOf(group)),
    format: {
      method,
      ...(packed ? { groupSize: size ?? -1 } : method === 'nvfp4' && size !== undefined ? { groupSize: size } : {}),
      ...(rows !== undefined && columns !== undefined ? { blockRows: rows, blockColumns: columns } : {}),
      ...(integer ? { weightBits: bits } : {}),
      ...(weights.flag('symmetric')?.value === false ? { zeroPoints: true } : {}),
      ...(['group', 'static'].includes(weights.text('actorder')?.value ?? '')
        ? { activationOrder: weights.text('actorder')?.value === 'group' }
        : {}),
      ...(group.inner('input_activations')?.flag('dynamic')?.value === false ? { staticActivations: true } : {}),
    },
  };
}

function groupsOf(fields: Fields): Group[] {
  const groups = fields.inner('config_groups');
  if (groups === undefined) return [];
  const common = fields.text('format')?.value ?? '';
  return groups.map.entries.flatMap((entry) => {
    const inner = groups.inner(entry.key);
    const group = inner === undefined ? undefined : readGroup(entry, inner, common);
    return group === undefined ? [] : [group];
  });
}

function asPart(group: Group): Part {
  const entries = Object.entries(group.format).map(([key, value]) => [
    key,
    derived(value, `group \`${group.entry.key}\``, group.entry),
  ]);
  return Object.fromEntries(entries) as Part;
}

/** The KV format of `kv_cache_scheme`, which engines follow. */
export function kvScheme(fields: Fields): Sourced<DType> | undefined {
  const scheme = fields.inner('kv_cache_scheme');
  const entry = fields.entry('kv_cache_scheme');
  if (scheme === undefined || entry === undefined || scheme.text('type')?.value !== 'float') return undefined;
  return scheme.size(['num_bits'])?.value === 8
    ? derived<DType>('F8_E4M3', 'the checkpoint brings KV scales', entry)
    : undefined;
}

/**
 * Reads compressed-tensors (llm-compressor) configs: the first group that takes every Linear is the rule, groups with module names
 * are exceptions from it. Scales are stored in the format of the weights.
 * Source: compressed-tensors src/compressed_tensors/quantization/quant_config.py and quant_args.py.
 */
export function readCompressedTensors(fields: Fields, notes: Notes): { quantization: Part; kvDType?: Sourced<DType> } {
  const groups = groupsOf(fields);
  const main = groups.find(({ modules }) => modules === undefined) ?? groups[0];
  if (main === undefined) return { quantization: {} };
  const others = groups.filter((group) => group !== main && group.modules !== undefined);
  const ignore = fields.list('ignore');
  const ignored = ignore === undefined ? undefined : textsOf(ignore.node);
  const bad =
    main.format.blockRows !== undefined && !(main.format.blockRows > 0 && (main.format.blockColumns ?? 0) > 0);
  if (bad) {
    notes.add(
      'quantization-block-invalid',
      'error',
      placeOf(main.entry),
      `\`block_structure: [${main.format.blockRows}, ${main.format.blockColumns}]\` of \`${main.entry.key}\` has to be two positive whole numbers; engines have kernels for [128, 128].`,
    );
    return { quantization: {} };
  }
  const kvDType = kvScheme(fields);
  const overrides = others.map(({ modules = [], format: { method, groupSize } }): QuantizationOverride => ({
    modules,
    method,
    ...(groupSize === undefined ? {} : { groupSize }),
  }));
  const quantization = {
    ...asPart(main),
    ...present<Part>({
      excluded:
        ignore === undefined || ignored === undefined || ignored.length === 0
          ? undefined
          : { value: ignored, origin: 'file', at: placeOf(ignore.entry), label: 'ignore' },
      included: main.modules === undefined ? undefined : derived(main.modules, 'targets of the group', main.entry),
      overrides:
        overrides.length === 0 ? undefined : derived(overrides, 'further groups', fields.entry('config_groups')),
    }),
  };
  return { quantization, ...(kvDType === undefined ? {} : { kvDType }) };
}

import { entryOf, placeOf, textOf } from '../common/nodes';
import type { Entry, MapNode } from '../../syntax/tree';
import type { DialectReading } from '../dialect';
import { readTrtllmArguments, readTrtValues } from '../tensorrt-llm/arguments';
import { trtValues } from '../tensorrt-llm/values';
import type { Around } from './launch';

/** Options that name the engine's YAML file, of `trtllm-serve` and of Dynamo's worker. */
const FILES = ['extra_engine_args', 'extra_llm_api_options', 'config'];

/** Reads a command that serves with TensorRT-LLM. A file that the same document carries goes before the options, as Dynamo has it. */
export function readTensorRt(options: MapNode, around: Around, positional: Entry | undefined): DialectReading {
  const own: MapNode = {
    ...options,
    entries: options.entries.map((entry) => ({ ...entry, key: entry.key.replaceAll('-', '_') })),
  };
  const model = positional ?? entryOf(own, 'model_path') ?? entryOf(own, 'model');
  const file = own.entries.find(({ key }) => FILES.includes(key));
  const path = textOf(file?.value);
  const carried = path === undefined ? undefined : around.embedded?.(path);
  if (carried !== undefined) return readTrtValues(trtValues([carried, own]), around.read, model);
  const reading = readTrtllmArguments(own, around.read, {
    text: around.text,
    ...(model === undefined ? {} : { model }),
  });
  const named = reading.references.some(({ target }) => target === path);
  if (file === undefined || named) return reading;
  // What the file says is not known here: nothing follows from what the options leave out.
  const hidden = ['layout.tensor', 'layout.pipeline', 'layout.expert', 'layout.attentionData', 'serving.kvDType'];
  return {
    ...reading,
    plan: {
      ...reading.plan,
      unresolved: [...reading.plan.unresolved, ...hidden.map((p) => ({ path: p, at: placeOf(file) }))],
    },
  };
}

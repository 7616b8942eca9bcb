import type { Word } from '../../syntax/shell-words';
import { wordOfScalar } from '../../syntax/arguments';
import type { Entry, MapNode } from '../../syntax/tree';
import { childOf, hasKey, isScalar, mapOf, textOf } from '../common/nodes';
import type { ShellCommand } from '../../syntax/shell-variables';
import type { Launched } from './programs';

/**
 * KServe's server of language models: vLLM's own arguments beside names of its own for the model.
 * Source: kserve/kserve, python/huggingfaceserver/huggingfaceserver/__main__.py.
 */
export const HUGGINGFACE_SERVER = 'huggingfaceserver';

const NAMES: Readonly<Record<string, string>> = {
  'model-id': 'model',
  'model-dir': 'model',
  'max-length': 'max-model-len',
  'model-revision': 'revision',
  'model-name': 'served-model-name',
};

/** Options by vLLM's names. A model id wins over a folder. */
export function renamedOptions(entries: readonly Entry[]): Entry[] {
  const plain = (key: string): string => key.replaceAll('_', '-');
  const named = entries.some(({ key }) => plain(key) === 'model-id');
  return entries
    .filter(({ key }) => !(named && plain(key) === 'model-dir'))
    .map((entry) => ({ ...entry, key: NAMES[plain(entry.key)] ?? entry.key }));
}

/** True for words that the server hands to vLLM: its other backend reads none of them. */
export function runsVllm(words: readonly Word[]): boolean {
  return !words.some(
    ({ text }, i) =>
      /^--backend=huggingface$/.test(`${text}=${words[i + 1]?.text ?? ''}`) || text === '--backend=huggingface',
  );
}

/** The model of a `storageUri`: a repository of the hub, or the last folder of a path. */
function storedModel(container: MapNode, text: string): Word | undefined {
  const uri = childOf(container, 'storageUri');
  if (!isScalar(uri) || uri.unresolved || typeof uri.value !== 'string') return undefined;
  const [, scheme, path = ''] = /^(\w+):\/\/(.+?)\/*$/.exec(uri.value) ?? [];
  if (scheme === undefined) return undefined;
  const name = scheme === 'hf' ? path.split(':')[0] : path.split('/').at(-1);
  return { ...wordOfScalar(uri, text), text: name ?? path };
}

/** Arguments of a container or predictor without a program of its own, where model format, image or option names say that it is this server. */
export function huggingFaceLaunch(container: MapNode, command: ShellCommand, text: string): Launched | undefined {
  const { words } = command;
  if (words[0]?.text.startsWith('--') !== true || hasKey(container, 'command') || !runsVllm(words)) return undefined;
  const own =
    textOf(childOf(mapOf(container, 'modelFormat'), 'name')) === 'huggingface' ||
    (textOf(childOf(container, 'image')) ?? '').includes(HUGGINGFACE_SERVER) ||
    words.some((word) => /^--model[-_](?:id|dir)(?:=|$)/.test(word.text));
  if (!own) return undefined;
  const id = words.some((word) => /^--model[-_]id(?:=|$)/.test(word.text));
  const model = id ? undefined : storedModel(container, text);
  return {
    program: 'vllm',
    name: HUGGINGFACE_SERVER,
    launcher: [],
    words,
    wrapped: true,
    command,
    ...(model === undefined ? {} : { model }),
  };
}

// Compiles every schemas/*.schema.json into a validator module, so that no schema is compiled at run time:
// start-up stays short and the web build needs no `new Function`.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import standaloneCode from 'ajv/dist/standalone/index.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const schemaFolder = path.join(root, 'schemas');
const target = path.join(root, 'server/src/generated');

/** `hf-config.schema.json` -> `hfConfig`. */
function functionName(file) {
  return file.replace(/\.schema\.json$/, '').replace(/[^A-Za-z0-9]+(.)/g, (_, letter) => letter.toUpperCase());
}

const TEXT = new Set(['title', 'description', '$comment']);

/** Annotations that only hover and completion read would only add weight to the validators. */
function withoutAnnotations(value) {
  if (Array.isArray(value)) return value.map(withoutAnnotations);
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.entries(value).filter(
    ([key, inner]) => !(key.startsWith('x-') || (TEXT.has(key) && typeof inner === 'string')),
  );
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutAnnotations(inner)]));
}

const files = (await readdir(schemaFolder).catch(() => [])).filter((file) => file.endsWith('.schema.json')).sort();
const ajv = new Ajv.default({
  allErrors: true,
  strict: false,
  verbose: false,
  messages: false,
  // Definitions are functions of their own: repeated in every place that names them they would weigh more.
  inlineRefs: false,
  code: { source: true, esm: true, lines: false, optimize: 2 },
});
const names = {};
const compiled = [];
for (const file of files) {
  const source = JSON.parse(await readFile(path.join(schemaFolder, file), 'utf8'));
  // Argument tables of frameworks describe words on a command line; their dialects judge values as argparse does, so they need no validator.
  if (source['x-validator'] === false) continue;
  compiled.push(file);
  const schema = withoutAnnotations(source);
  ajv.addSchema({ ...schema, $id: file });
  names[functionName(file)] = file;
}
await mkdir(target, { recursive: true });
const code = compiled.length === 0 ? 'export {};\n' : standaloneCode.default(ajv, names);
// Standalone code asks for some of ajv's helpers by `require`, which a module cannot do: each becomes an import.
const helpers = [...new Set([...code.matchAll(/require\("(ajv\/[^"]+)"\)/g)].map(([, name]) => name))];
const imports = helpers.map((name, index) => `import * as helper${index} from ${JSON.stringify(name)};\n`).join('');
const linked = helpers.reduce((text, name, index) => text.replaceAll(`require("${name}")`, `helper${index}`), code);
await writeFile(path.join(target, 'validators.js'), imports + linked);
const types = compiled.map((file) => `export const ${functionName(file)}: Validate;`).join('\n');
await writeFile(
  path.join(target, 'validators.d.ts'),
  `import type { ErrorObject } from 'ajv';\nexport interface Validate {\n  (data: unknown): boolean;\n  errors?: ErrorObject[] | null;\n}\n${types}\n`,
);
console.log(`generated ${compiled.length} validators`);

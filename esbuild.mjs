// All bundles in one place: extension host, language server, command line, webviews.
import { access, chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { build, context } from 'esbuild';

const production = process.argv.includes('--production');
const watch = process.argv.includes('--watch');

// jsonc-parser's `main` is a UMD file that bundlers cannot follow, so the module entry comes first.
const NODE_FIELDS = ['module', 'main'];
const BROWSER_FIELDS = ['browser', 'module', 'main'];

/** Large tables of words shrink to a quarter; small files are not worth the call. */
const COMPRESS_ABOVE = 8192;

/** Packs the large JSON files of schemas/ into the bundle as deflated text that is opened once, at load. */
const packSchemas = {
  name: 'pack-schemas',
  setup(plugin) {
    plugin.onLoad({ filter: /[\\/]schemas[\\/].*\.json$/ }, async ({ path }) => {
      const text = JSON.stringify(JSON.parse(await readFile(path, 'utf8')));
      if (text.length < COMPRESS_ABOVE) return { contents: text, loader: 'json' };
      const packed = deflateRawSync(text, { level: 9 }).toString('base64');
      const contents = `import { inflateSync, strFromU8 } from 'fflate';
export default JSON.parse(strFromU8(inflateSync(Uint8Array.from(atob('${packed}'), (character) => character.charCodeAt(0)))));`;
      return { contents, loader: 'js', resolveDir: process.cwd() };
    });
  },
};

/** What other layers take from dialects/: the modules that make up the bundle of the file formats. */
const FORMATS = ['registry', 'presets', 'schema', 'hf-config/model', 'placement/recognise', 'placement/validate'].map(
  (name) => `server/src/dialects/${name}`,
);
/** Conversion from one format to another, opened by the first command that asks for it. */
const TRANSLATE = ['server/src/features/translate/translate'];
/** Readers of recorded loads in the binary formats of torch and safetensors, opened by the first config that names one. */
const RECORDINGS = ['recorder', 'trt-statistics'].map((name) => `server/src/features/placement/${name}`);
/** Python's grammar, opened by the first Python config. */
const PYTHON = ['server/src/syntax/python'];

/** Names of the values that modules export; types leave no trace. */
async function exportedNames(modules) {
  const sources = await Promise.all(modules.map((file) => readFile(`${file}.ts`, 'utf8')));
  return sources.flatMap((source) =>
    [...source.matchAll(/^export (?:async )?(?:function\*?|const) (\w+)/gm)].map(([, name]) => name),
  );
}

/**
 * Some modules are a bundle of their own, shared by server and command line and opened at first use: a server starts
 * without parsing two dozen readers. `load` is the expression that opens it.
 */
const apart = (modules, load) => ({
  name: `apart-${modules[0]}`,
  setup(plugin) {
    const namespace = `apart:${modules[0]}`;
    plugin.onResolve({ filter: /^\./ }, ({ path: specifier, resolveDir, kind }) => {
      const target = path.relative(process.cwd(), path.resolve(resolveDir, specifier)).replaceAll('\\', '/');
      return kind === 'import-statement' && modules.includes(target) ? { path: target, namespace } : undefined;
    });
    plugin.onLoad({ filter: /./, namespace }, async () => {
      const getters = (await exportedNames(modules)).map((name) => `get ${name}() { return opened().${name}; }`);
      return { contents: `const opened = () => ${load};\nmodule.exports = { ${getters.join(', ')} };`, loader: 'js' };
    });
  },
});
const nodeFile = (name) => `require('./${name}.js')`;
const webFile = (name) => {
  const kept = `globalThis.${webName(name)}`;
  return `${kept} ?? (importScripts(globalThis.shardlensScripts.${name}), ${kept})`;
};
const webName = (name) => `shardlens${name[0].toUpperCase()}${name.slice(1)}`;
const allApart = (file) => [
  apart(FORMATS, file('dialects')),
  apart(TRANSLATE, file('translate')),
  apart(RECORDINGS, file('recordings')),
  apart(PYTHON, file('python')),
];

/** Packages and modules that both the program and its file formats need: the program brings them, the formats find them there. */
const SHARED_PACKAGES = new Set(['yaml', 'jsonc-parser', 'toml-eslint-parser']);
const SHARED_MODULES = new Set([
  ...['resolve', 'resolve-layout', 'resolve-model', 'usable', 'rules/rules', 'rules/rule-context'].map(
    (name) => `server/src/plan/${name}`,
  ),
  ...['parse', 'edits', 'scalars', 'scalar-text'].map((name) => `server/src/syntax/${name}`),
]);
const KEPT = 'globalThis.shardlensShared';

/** `contents` gives the module that stands in for a shared one; `name` is a package or a path from the root. */
const sharedModules = (contents) => ({
  name: 'shared-modules',
  setup(plugin) {
    plugin.onResolve({ filter: /^[.a-z]/ }, ({ path: specifier, resolveDir, namespace }) => {
      if (namespace === 'shared' || resolveDir === '') return undefined;
      const target = path.relative(process.cwd(), path.resolve(resolveDir, specifier)).replaceAll('\\', '/');
      const name = specifier.startsWith('.') ? target : specifier;
      return SHARED_PACKAGES.has(name) || SHARED_MODULES.has(name) ? { path: name, namespace: 'shared' } : undefined;
    });
    plugin.onLoad({ filter: /./, namespace: 'shared' }, ({ path: name }) => ({
      contents: contents(name, SHARED_MODULES.has(name) ? `./${name}` : name),
      resolveDir: process.cwd(),
    }));
  },
});
const bringsShared = sharedModules(
  (name, from) => `import * as all from '${from}';\n(${KEPT} ??= {})['${name}'] = all;\nexport * from '${from}';`,
);
/** In Node the packages are a file of their own, which server and command line share. */
const loadsPackages = sharedModules((name, from) =>
  SHARED_PACKAGES.has(name)
    ? `module.exports = require('./parsers.js')['${name}'];`
    : `import * as all from '${from}';\n(${KEPT} ??= {})['${name}'] = all;\nexport * from '${from}';`,
);
const parsersEntry = {
  stdin: {
    contents: [...SHARED_PACKAGES]
      .map((name, at) => `import * as p${at} from '${name}';\n(${KEPT} ??= {})['${name}'] = p${at};`)
      .concat(`module.exports = ${KEPT};`)
      .join('\n'),
    resolveDir: process.cwd(),
  },
};
const findsShared = sharedModules((name) => `module.exports = ${KEPT}['${name}'];`);

const entryOf = (modules) => ({
  stdin: { contents: modules.map((file) => `export * from './${file}';`).join('\n'), resolveDir: process.cwd() },
});
const formatsEntry = { ...entryOf(FORMATS), plugins: [packSchemas, findsShared] };
const translateEntry = (file) => ({
  ...entryOf(TRANSLATE),
  plugins: [packSchemas, findsShared, apart(FORMATS, file('dialects'))],
});
const recordingsEntry = entryOf(RECORDINGS);
const pythonEntry = entryOf(PYTHON);

const common = {
  plugins: [packSchemas],
  bundle: true,
  minify: production,
  sourcemap: production ? false : 'linked',
  target: 'es2022',
  logLevel: 'warning',
  legalComments: 'none',
  metafile: true,
};
const node = { ...common, platform: 'node', format: 'cjs', mainFields: NODE_FIELDS };
const browser = { ...common, platform: 'browser', mainFields: BROWSER_FIELDS };
const webview = (name) => ({
  ...browser,
  format: 'iife',
  entryPoints: { [`webview/${name}`]: `client/webview/${name}/main.tsx` },
  outdir: 'dist',
  jsx: 'automatic',
  jsxImportSource: 'preact',
});

const nodePlugins = [...common.plugins, loadsPackages, ...allApart(nodeFile)];
const APART_FILES = ['dialects', 'translate', 'parsers', 'recordings', 'python'].map((name) => `./${name}.js`);

const bundles = [
  // The language client is a file of its own, loaded when a config is opened: starting the editor stays cheap.
  {
    ...node,
    entryPoints: { extension: 'client/src/extension-node.ts' },
    external: ['vscode', './client-node'],
    // `import()` becomes `require`, which is what the extension host hands `vscode` out through.
    supported: { 'dynamic-import': false },
    outdir: 'dist',
  },
  { ...node, entryPoints: { 'client-node': 'client/src/client-node.ts' }, external: ['vscode'], outdir: 'dist' },
  { ...node, ...formatsEntry, outfile: 'dist/dialects.js' },
  { ...node, ...translateEntry(nodeFile), external: ['./dialects.js'], outfile: 'dist/translate.js' },
  { ...node, ...parsersEntry, outfile: 'dist/parsers.js' },
  { ...node, ...recordingsEntry, outfile: 'dist/recordings.js' },
  { ...node, ...pythonEntry, outfile: 'dist/python.js' },
  {
    ...node,
    plugins: nodePlugins,
    entryPoints: { server: 'server/src/lsp/main-node.ts' },
    external: APART_FILES,
    outdir: 'dist',
  },
  {
    ...node,
    plugins: nodePlugins,
    entryPoints: { cli: 'server/src/cli/main.ts' },
    outdir: 'dist',
    banner: { js: '#!/usr/bin/env node' },
    external: ['./server.js', ...APART_FILES],
  },
  {
    ...browser,
    format: 'cjs',
    entryPoints: { 'web/extension': 'client/src/extension-browser.ts' },
    external: ['vscode'],
    outdir: 'dist',
  },
  { ...browser, ...formatsEntry, format: 'iife', globalName: webName('dialects'), outfile: 'dist/web/dialects.js' },
  {
    ...browser,
    ...translateEntry(webFile),
    format: 'iife',
    globalName: webName('translate'),
    outfile: 'dist/web/translate.js',
  },
  {
    ...browser,
    ...recordingsEntry,
    format: 'iife',
    globalName: webName('recordings'),
    outfile: 'dist/web/recordings.js',
  },
  { ...browser, ...pythonEntry, format: 'iife', globalName: webName('python'), outfile: 'dist/web/python.js' },
  {
    ...browser,
    plugins: [...common.plugins, bringsShared, ...allApart(webFile)],
    format: 'iife',
    entryPoints: { 'web/server': 'server/src/lsp/main-browser.ts' },
    outdir: 'dist',
  },
  webview('timeline'),
  webview('placement'),
  webview('memory'),
];

async function exists(file) {
  return access(file).then(
    () => true,
    () => false,
  );
}

await rm('dist', { recursive: true, force: true });
await mkdir('dist', { recursive: true });
const ready = [];
for (const bundle of bundles) {
  const entry = Object.values(bundle.entryPoints ?? {})[0];
  if (entry === undefined || (await exists(entry))) ready.push(bundle);
  else if (production) throw new Error(`${entry} is missing`);
  else console.log(`skipped  ${entry}, which is not there yet`);
}
if (watch) {
  for (const bundle of ready) await (await context(bundle)).watch();
} else {
  // Every bundle gets its chance: a fault in the server must not hide one in a panel. esbuild prints each fault itself.
  const results = await Promise.allSettled(ready.map((bundle) => build(bundle)));
  if (results.some(({ status }) => status === 'rejected')) process.exitCode = 1;
  const built = results.flatMap(({ value }) => (value === undefined ? [] : [value]));
  const sizes = built.flatMap(({ metafile }) =>
    Object.entries(metafile.outputs).filter(([file]) => /\.(?:js|css)$/.test(file)),
  );
  // What the formats look for in the program has to be there, or they would fail at the first file that needs it.
  for (const { metafile } of built)
    for (const [file, { inputs }] of Object.entries(metafile.outputs)) {
      if (!/(?:^|\/)(?:server|cli)\.js$/.test(file)) continue;
      const missing = [...SHARED_PACKAGES, ...SHARED_MODULES].filter((name) => inputs[`shared:${name}`] === undefined);
      for (const name of missing) console.error(`${file} does not bring ${name}, which dist/dialects.js expects`);
      if (missing.length > 0) process.exitCode = 1;
    }
  for (const [file, { bytes }] of sizes) console.log(`${String(bytes).padStart(9)}  ${file}`);
  if (await exists('dist/cli.js')) await chmod('dist/cli.js', 0o755);
  await writeFile(
    'dist/sizes.json',
    JSON.stringify(Object.fromEntries(sizes.map(([file, { bytes }]) => [file, bytes])), null, 2),
  );
  if (production) {
    const limits = JSON.parse(await readFile('scripts/size-limits.json', 'utf8'));
    const over = sizes.filter(([file, { bytes }]) => limits[file] !== undefined && bytes > limits[file]);
    for (const [file, { bytes }] of over)
      console.error(`${file} has ${bytes} bytes, above its limit of ${limits[file]}`);
    if (over.length > 0) process.exitCode = 1;
  }
}

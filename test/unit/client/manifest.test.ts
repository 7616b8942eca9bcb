import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { dialects } from '../../../server/src/dialects/registry';

interface Setting {
  readonly scope: string;
  readonly enum?: readonly string[];
  readonly description?: string;
  readonly markdownDescription?: string;
}

interface Manifest {
  readonly activationEvents: readonly string[];
  readonly main: string;
  readonly browser: string;
  readonly icon: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly title: string; readonly category: string }[];
    readonly menus: Readonly<Record<string, readonly { readonly command: string }[]>>;
    readonly configuration: { readonly properties: Readonly<Record<string, Setting>> };
    readonly walkthroughs: readonly { readonly steps: readonly { readonly media: { readonly markdown: string } }[] }[];
    readonly languages?: unknown;
  };
  readonly capabilities: {
    readonly untrustedWorkspaces: { readonly supported: boolean };
    readonly virtualWorkspaces: boolean;
  };
}

const ROOT = path.resolve(import.meta.dirname, '../../..');
const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Manifest;
const { commands, menus, configuration, walkthroughs } = manifest.contributes;
const settings = Object.entries(configuration.properties);

describe('the manifest', () => {
  it('offers every dialect that the server reads, and no other', () => {
    const offered = configuration.properties['shardlens.dialect']?.enum ?? [];
    expect([...offered].sort()).toEqual(['auto', 'none', ...dialects.map(({ id }) => id)].sort());
  });

  it('has at most twenty settings, each of the resource but the trace, each explained', () => {
    expect(settings.length).toBeLessThanOrEqual(20);
    expect(settings.filter(([, { scope }]) => scope !== 'resource').map(([name]) => name)).toEqual([
      'shardlens.trace.server',
    ]);
    expect(settings.filter(([, setting]) => (setting.markdownDescription ?? setting.description ?? '') === '')).toEqual(
      [],
    );
  });

  it('puts commands into menus that exist', () => {
    const names = new Set(commands.map(({ command }) => command));
    const used = Object.values(menus).flatMap((entries) => entries.map(({ command }) => command));
    expect(used.filter((command) => !names.has(command))).toEqual([]);
  });

  it('wakes for restored panels, for configs in any language, and never for everything', () => {
    for (const kind of ['timeline', 'placement', 'memory'])
      expect(manifest.activationEvents).toContain(`onWebviewPanel:shardlens.${kind}`);
    // A plain editor has no TOML, so those files come as plain text.
    for (const language of ['yaml', 'json', 'jsonc', 'toml', 'plaintext'])
      expect(manifest.activationEvents).toContain(`onLanguage:${language}`);
    expect(manifest.activationEvents).not.toContain('*');
    expect(manifest.activationEvents).not.toContain('onStartupFinished');
  });

  it('takes no language away from other extensions', () => {
    expect(manifest.contributes.languages).toBeUndefined();
  });

  it('works in untrusted and virtual workspaces', () => {
    expect(manifest.capabilities).toEqual({ untrustedWorkspaces: { supported: true }, virtualWorkspaces: true });
  });

  it('has no script for a file that is not there', () => {
    const files = Object.values(manifest.scripts).flatMap((script) => script.match(/\S+\.mjs/g) ?? []);
    expect(files.length).toBeGreaterThan(5);
    expect(files.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
  });

  it('names files that are there', () => {
    const pages = walkthroughs.flatMap(({ steps }) => steps.map(({ media }) => media.markdown));
    expect([manifest.icon, ...pages].filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
  });
});

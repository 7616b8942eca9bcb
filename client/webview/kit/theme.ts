import { useEffect, useState } from 'preact/hooks';
import { contrast, over, parseColor } from './color';
import { PALETTES } from './palette';
import type { DataPalette, ThemeKind } from './palette';

/** Everything a picture takes from the editor's theme, already resolved to colour strings. */
export interface Theme {
  readonly kind: ThemeKind;
  readonly data: DataPalette;
  readonly background: string;
  readonly foreground: string;
  readonly muted: string;
  readonly border: string;
  readonly focus: string;
  readonly font: string;
  /** A veil of the background's colour that pushes marks back without hiding them. */
  readonly dim: string;
}

interface Fallback {
  readonly background: string;
  readonly foreground: string;
  readonly muted: string;
  readonly border: string;
  readonly focus: string;
}

const FALLBACK: Readonly<Record<ThemeKind, Fallback>> = {
  light: { background: '#ffffff', foreground: '#1f1f1f', muted: '#5c5c5c', border: '#d4d4d4', focus: '#005fb8' },
  dark: { background: '#1f1f1f', foreground: '#dedede', muted: '#a8a8a8', border: '#454545', focus: '#3794ff' },
  'hc-dark': { background: '#000000', foreground: '#ffffff', muted: '#ffffff', border: '#6fc3df', focus: '#f38518' },
  'hc-light': { background: '#ffffff', foreground: '#292929', muted: '#292929', border: '#0f4a85', focus: '#006bbd' },
};

/** The kind from the body classes. VS Code gives a light high-contrast theme both high-contrast classes, so that one is asked first. */
export function themeKindOf(classes: { readonly contains: (name: string) => boolean }): ThemeKind {
  if (classes.contains('vscode-high-contrast-light')) return 'hc-light';
  if (classes.contains('vscode-high-contrast')) return 'hc-dark';
  return classes.contains('vscode-dark') ? 'dark' : 'light';
}

/** True when small text in `front` can be read on `back`: 4.5 : 1 by WCAG 2.2. */
export function isReadable(front: string, back: string): boolean {
  const one = parseColor(front);
  const other = parseColor(back);
  return one !== undefined && other !== undefined && contrast(over(one, other), other) >= 4.5;
}

function veil(background: string): string {
  const { r, g, b } = parseColor(background) ?? { r: 0.5, g: 0.5, b: 0.5 };
  return `rgba(${[r, g, b].map((channel) => Math.round(channel * 255)).join(',')},0.68)`;
}

/** Reads the theme as it is now. */
export function readTheme(document: Document): Theme {
  const kind = themeKindOf(document.body.classList);
  const style = getComputedStyle(document.documentElement);
  const read = (names: readonly string[], fallback: string): string => {
    for (const name of names) {
      const value = style.getPropertyValue(name).trim();
      if (value !== '') return value;
    }
    return fallback;
  };
  const fallback = FALLBACK[kind];
  const highContrast = kind.startsWith('hc');
  const background = read(['--vscode-editor-background'], fallback.background);
  const foreground = read(['--vscode-foreground', '--vscode-editor-foreground'], fallback.foreground);
  // Many themes give secondary text an opacity that small figures cannot afford: then it is drawn as primary text.
  const secondary = read(['--vscode-descriptionForeground'], fallback.muted);
  const muted = isReadable(secondary, background) ? secondary : foreground;
  return {
    kind,
    data: PALETTES[kind],
    background,
    foreground,
    muted,
    border: read([highContrast ? '--vscode-contrastBorder' : '--vscode-panel-border'], fallback.border),
    focus: read(['--vscode-focusBorder'], fallback.focus),
    dim: veil(background),
    font: read(['--vscode-font-family'], 'system-ui, sans-serif'),
  };
}

/** Calls `changed` whenever the editor changes its theme: it rewrites the body's class and the variables on the root. */
export function watchTheme(document: Document, changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
  observer.observe(document.body, { attributes: true, attributeFilter: ['style', 'class'] });
  return () => observer.disconnect();
}

/** The live theme; the component renders again when it changes. */
export function useTheme(): Theme {
  const [theme, setTheme] = useState(() => readTheme(document));
  useEffect(() => watchTheme(document, () => setTheme(readTheme(document))), []);
  return theme;
}

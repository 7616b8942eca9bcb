import type { ThemeKind } from '../../client/webview/kit/palette';

/** What VS Code puts on the page for a theme: classes on the body and variables on the root. */
export interface HostTheme {
  readonly classes: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

const FONT = {
  '--vscode-font-family': '"DejaVu Sans", system-ui, sans-serif',
  '--vscode-editor-font-family': '"DejaVu Sans Mono", monospace',
};

/** The variables that the panels read, with the values of VS Code's four default themes. */
export const HOST_THEMES: Readonly<Record<ThemeKind, HostTheme>> = {
  light: {
    classes: ['vscode-light'],
    variables: {
      ...FONT,
      '--vscode-foreground': '#3b3b3b',
      '--vscode-descriptionForeground': '#3b3b3b',
      '--vscode-editor-background': '#ffffff',
      '--vscode-panel-border': '#e5e5e5',
      '--vscode-focusBorder': '#005fb8',
      '--vscode-textLink-foreground': '#005fb8',
      '--vscode-errorForeground': '#a1260d',
      '--vscode-dropdown-background': '#ffffff',
      '--vscode-dropdown-foreground': '#3b3b3b',
      '--vscode-dropdown-border': '#cecece',
      '--vscode-editorHoverWidget-background': '#f8f8f8',
      '--vscode-editorHoverWidget-foreground': '#3b3b3b',
      '--vscode-editorHoverWidget-border': '#c8c8c8',
      '--vscode-menu-background': '#ffffff',
      '--vscode-menu-foreground': '#3b3b3b',
      '--vscode-editorWidget-background': '#f8f8f8',
      '--vscode-editorWidget-foreground': '#3b3b3b',
      '--vscode-toolbar-hoverBackground': 'rgba(184, 184, 184, 0.31)',
      '--vscode-list-hoverBackground': '#f2f2f2',
      '--vscode-list-inactiveSelectionBackground': '#e4e6f1',
      '--vscode-editorWarning-foreground': '#bf8803',
    },
  },
  dark: {
    classes: ['vscode-dark'],
    variables: {
      ...FONT,
      '--vscode-foreground': '#cccccc',
      '--vscode-descriptionForeground': '#9d9d9d',
      '--vscode-editor-background': '#1f1f1f',
      '--vscode-panel-border': '#2b2b2b',
      '--vscode-focusBorder': '#0078d4',
      '--vscode-textLink-foreground': '#4daafc',
      '--vscode-errorForeground': '#f85149',
      '--vscode-dropdown-background': '#313131',
      '--vscode-dropdown-foreground': '#cccccc',
      '--vscode-dropdown-border': '#3c3c3c',
      '--vscode-editorHoverWidget-background': '#202020',
      '--vscode-editorHoverWidget-foreground': '#cccccc',
      '--vscode-editorHoverWidget-border': '#454545',
      '--vscode-menu-background': '#1f1f1f',
      '--vscode-menu-foreground': '#cccccc',
      '--vscode-editorWidget-background': '#202020',
      '--vscode-editorWidget-foreground': '#cccccc',
      '--vscode-toolbar-hoverBackground': 'rgba(90, 93, 94, 0.31)',
      '--vscode-list-hoverBackground': '#2a2d2e',
      '--vscode-list-inactiveSelectionBackground': '#37373d',
      '--vscode-editorWarning-foreground': '#cca700',
    },
  },
  'hc-dark': {
    classes: ['vscode-high-contrast'],
    variables: {
      ...FONT,
      '--vscode-foreground': '#ffffff',
      '--vscode-descriptionForeground': 'rgba(255, 255, 255, 0.7)',
      '--vscode-editor-background': '#000000',
      '--vscode-contrastBorder': '#6fc3df',
      '--vscode-panel-border': '#6fc3df',
      '--vscode-focusBorder': '#f38518',
      '--vscode-textLink-foreground': '#21a6ff',
      '--vscode-errorForeground': '#f48771',
      '--vscode-dropdown-background': '#000000',
      '--vscode-dropdown-foreground': '#ffffff',
      '--vscode-dropdown-border': '#6fc3df',
      '--vscode-editorHoverWidget-background': '#0c141f',
      '--vscode-editorHoverWidget-foreground': '#ffffff',
      '--vscode-editorHoverWidget-border': '#6fc3df',
      '--vscode-menu-background': '#000000',
      '--vscode-menu-foreground': '#ffffff',
      '--vscode-editorWidget-background': '#0c141f',
      '--vscode-editorWidget-foreground': '#ffffff',
      '--vscode-editorWarning-foreground': '#ffd370',
    },
  },
  'hc-light': {
    // VS Code gives this theme the older class as well.
    classes: ['vscode-high-contrast-light', 'vscode-high-contrast'],
    variables: {
      ...FONT,
      '--vscode-foreground': '#292929',
      '--vscode-descriptionForeground': 'rgba(41, 41, 41, 0.7)',
      '--vscode-editor-background': '#ffffff',
      '--vscode-contrastBorder': '#0f4a85',
      '--vscode-panel-border': '#0f4a85',
      '--vscode-focusBorder': '#006bbd',
      '--vscode-textLink-foreground': '#0f4a85',
      '--vscode-errorForeground': '#b5200d',
      '--vscode-dropdown-background': '#ffffff',
      '--vscode-dropdown-foreground': '#292929',
      '--vscode-dropdown-border': '#0f4a85',
      '--vscode-editorHoverWidget-background': '#ffffff',
      '--vscode-editorHoverWidget-foreground': '#292929',
      '--vscode-editorHoverWidget-border': '#0f4a85',
      '--vscode-menu-background': '#ffffff',
      '--vscode-menu-foreground': '#292929',
      '--vscode-editorWidget-background': '#ffffff',
      '--vscode-editorWidget-foreground': '#292929',
      '--vscode-editorWarning-foreground': '#895503',
    },
  },
};

export const THEME_KINDS = ['light', 'dark', 'hc-dark', 'hc-light'] as const;

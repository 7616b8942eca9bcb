import type { Host } from './host';
import { canvasPen, createPatternCache } from './canvas-pen';
import type { Pen } from './pen';
import { svgSheet } from './svg-pen';
import type { Theme } from './theme';

/** A picture that can be drawn at any size without a screen. */
export interface Scene {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly draw: (pen: Pen) => void;
}

/** Largest edge of a saved bitmap that every browser engine can hold. */
const MAX_BITMAP = 16_384;

/** `deepseek-v3.yaml` and `schedule` -> `deepseek-v3-schedule.svg`; only characters that every file system takes. */
export function exportName(uri: string, what: string, extension: string): string {
  const file = decodeURIComponentSafe(uri.slice(uri.lastIndexOf('/') + 1)).replace(/\.[^.]*$/, '');
  const safe = file.replace(/[^\w.-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  return `${safe === '' ? 'shardlens' : safe}-${what}.${extension}`;
}

function decodeURIComponentSafe(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function saveText(host: Host, fileName: string, text: string): void {
  host.post({ type: 'save', fileName, text });
}

/** The scene as an SVG file. */
export function sceneToSvg(scene: Scene, theme: Theme): string {
  const context = document.createElement('canvas').getContext('2d');
  const measure = (text: string, size: number, bold?: boolean): number => {
    if (context === null) return text.length * size * 0.6;
    context.font = `${bold === true ? '600 ' : ''}${size}px ${theme.font}`;
    return context.measureText(text).width;
  };
  const sheet = svgSheet({
    width: scene.width,
    height: scene.height,
    background: theme.background,
    font: theme.font,
    title: scene.title,
    textWidth: measure,
  });
  scene.draw(sheet.pen);
  return sheet.text();
}

/** The scene as a PNG in base64, at twice the screen's resolution where that fits. */
export function sceneToPng(scene: Scene, theme: Theme): string | undefined {
  const canvas = document.createElement('canvas');
  const ratio = Math.min(2, MAX_BITMAP / scene.width, MAX_BITMAP / scene.height);
  canvas.width = Math.round(scene.width * ratio);
  canvas.height = Math.round(scene.height * ratio);
  const context = canvas.getContext('2d');
  if (context === null) return undefined;
  context.scale(ratio, ratio);
  context.fillStyle = theme.background;
  context.fillRect(0, 0, scene.width, scene.height);
  scene.draw(canvasPen(context, theme.font, ratio, createPatternCache(context)));
  const [, base64] = canvas.toDataURL('image/png').split(',');
  return base64;
}

export function saveSvg(host: Host, fileName: string, scene: Scene, theme: Theme): void {
  saveText(host, fileName, sceneToSvg(scene, theme));
}

export function savePng(host: Host, fileName: string, scene: Scene, theme: Theme): void {
  const base64 = sceneToPng(scene, theme);
  if (base64 !== undefined) host.post({ type: 'save', fileName, base64 });
}

import type { MemoryPartName } from '../../../server/src/protocol/memory';

export type ThemeKind = 'light' | 'dark' | 'hc-dark' | 'hc-light';

/** Kinds of work in the order of their codes in the timeline columns; an overlapped block (code 4) is drawn as an F and a B. */
export const OP_NAMES = ['F', 'B', 'I', 'W'] as const;
export type OpName = (typeof OP_NAMES)[number];

/**
 * Colours of data. They are our own because the editor's chart colours are six, are not tuned for large filled areas and may
 * be alike to a colour-blind reader. Every fill stands at 3 : 1 or more against its theme's editor background, every label at
 * 4.5 : 1 or more on its fill, and neighbours stay apart under protanopia and deuteranopia; a unit test holds all three.
 */
export interface DataPalette {
  /** Fill of a block by kind, for microbatches that enter at rank 0 and at the last rank. */
  readonly ops: Readonly<Record<OpName, readonly [string, string]>>;
  /** Lines of the hatch that lies over a fill with black ink, and over one with white ink. */
  readonly hatchOnLight: string;
  readonly hatchOnDark: string;
  readonly parts: Readonly<Record<MemoryPartName, string>>;
  /** Lane behind the blocks: what shows through is idle time. */
  readonly lane: string;
  readonly grid: string;
  /** Where a block's input comes from, and where its output goes. */
  readonly producer: string;
  readonly consumer: string;
  /** The device's line. */
  readonly limit: string;
  readonly curve: string;
  readonly curveFill: string;
  /** Load from little to much; luminance changes in one direction only, so it reads without hue. */
  readonly ramp: readonly string[];
}

const LIGHT: DataPalette = {
  ops: {
    F: ['#c87c11', '#883c00'],
    B: ['#3492e4', '#1f5fa5'],
    I: ['#118c74', '#0a705c'],
    W: ['#d16aaa', '#722866'],
  },
  hatchOnLight: 'rgba(255,255,255,0.30)',
  hatchOnDark: 'rgba(0,0,0,0.28)',
  parts: {
    weights: '#235dac',
    gradients: '#078278',
    optimizer: '#cc72b6',
    activations: '#a66107',
    kvCache: '#978d11',
    buffers: '#8668c5',
    workspace: '#5e5a5a',
  },
  lane: '#f1f1f1',
  grid: '#e2e2e2',
  producer: '#a31515',
  consumer: '#0b5a2b',
  limit: '#c4001d',
  curve: '#3d3d3d',
  curveFill: 'rgba(60,60,60,0.13)',
  ramp: ['#8494a8', '#6c86b5', '#7a5fb0', '#98307f', '#96103f', '#4d0016'],
};

const DARK: DataPalette = {
  ops: {
    F: ['#e89453', '#a1600d'],
    B: ['#6b9beb', '#3a76b7'],
    I: ['#4ecc9e', '#017e5b'],
    W: ['#eeacfd', '#9c5690'],
  },
  hatchOnLight: 'rgba(0,0,0,0.24)',
  hatchOnDark: 'rgba(0,0,0,0.32)',
  parts: {
    weights: '#83befe',
    gradients: '#038863',
    optimizer: '#cf7cbc',
    activations: '#fdbe89',
    kvCache: '#c5b143',
    buffers: '#8669bf',
    workspace: '#c6c7ca',
  },
  lane: '#2a2a2a',
  grid: '#3a3a3a',
  producer: '#ff8f7d',
  consumer: '#7fe0a3',
  limit: '#ff6b6b',
  curve: '#c8c8c8',
  curveFill: 'rgba(200,200,200,0.14)',
  ramp: ['#5d6c80', '#6782b8', '#a47fd8', '#ef7aa8', '#ffae7a', '#ffeeb0'],
};

const HC_DARK: DataPalette = {
  ops: {
    F: ['#f99449', '#af5e04'],
    B: ['#bed9ff', '#3a73d3'],
    I: ['#39d9a4', '#0b8062'],
    W: ['#e593eb', '#a54ba0'],
  },
  hatchOnLight: 'rgba(0,0,0,0.27)',
  hatchOnDark: 'rgba(0,0,0,0.45)',
  parts: {
    weights: '#87b4fc',
    gradients: '#008c7a',
    optimizer: '#a759b8',
    activations: '#fdc5a1',
    kvCache: '#e5c931',
    buffers: '#dbd4fc',
    workspace: '#b4b1b4',
  },
  lane: '#141414',
  grid: '#4a4a4a',
  producer: '#ff9d8a',
  consumer: '#8df5b4',
  limit: '#ff8080',
  curve: '#ffffff',
  curveFill: 'rgba(255,255,255,0.16)',
  ramp: ['#64748a', '#6f90d0', '#b58cf0', '#ff8cba', '#ffbf85', '#fff6c9'],
};

const HC_LIGHT: DataPalette = {
  ops: {
    F: ['#d05f00', '#592f04'],
    B: ['#2189e9', '#134399'],
    I: ['#08897a', '#006147'],
    W: ['#d05ead', '#6a1363'],
  },
  hatchOnLight: 'rgba(255,255,255,0.38)',
  hatchOnDark: 'rgba(0,0,0,0.40)',
  parts: {
    weights: '#075995',
    gradients: '#15866f',
    optimizer: '#c65eaa',
    activations: '#8f4504',
    kvCache: '#958202',
    buffers: '#6d5bc6',
    workspace: '#585558',
  },
  lane: '#f4f4f4',
  grid: '#c8c8c8',
  producer: '#8f0000',
  consumer: '#00491d',
  limit: '#b5001b',
  curve: '#000000',
  curveFill: 'rgba(0,0,0,0.14)',
  ramp: ['#7888a0', '#5878b0', '#64449c', '#7d1069', '#7a002b', '#38000f'],
};

export const PALETTES: Readonly<Record<ThemeKind, DataPalette>> = {
  light: LIGHT,
  dark: DARK,
  'hc-dark': HC_DARK,
  'hc-light': HC_LIGHT,
};

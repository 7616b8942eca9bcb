// Chromium with the switches that keep it from asking a network of its own.
import { chromium } from 'playwright-core';
import { findChromium } from '../install.mjs';

const SWITCHES = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchBrowser(options = {}) {
  return chromium.launch({ executablePath: findChromium(), args: SWITCHES, ...options });
}

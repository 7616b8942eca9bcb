#!/usr/bin/env node
// Takes the command line that @vscode/test-electron gives a desktop `code` and runs it in a real VS Code workbench and
// extension host shown by Chromium. The exit status is the extension host's.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { launchBrowser } from './browser.mjs';
import { startCodeServer } from './code-server.mjs';

const LIMIT_MS = Number(process.env.EDITOR_TEST_TIMEOUT_MS ?? 240_000);
/** Lines of the workbench that say nothing about the tests. */
const NOISE =
  /Ignoring fetching|Creating a socket|connection token|reconnection-grace|AccountPolicyGate|AgentHost|Service Worker|builtin extensions cache/;

const { values, positionals } = parseArgs({
  strict: false,
  allowPositionals: true,
  options: {
    extensionDevelopmentPath: { type: 'string', multiple: true },
    extensionTestsPath: { type: 'string' },
    'user-data-dir': { type: 'string' },
    'extensions-dir': { type: 'string' },
  },
});

const server = await startCodeServer({
  driver: true,
  userDataDir: values['user-data-dir'],
  extensionsDir: values['extensions-dir'],
});
const browser = await launchBrowser();
let code;
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  let finish;
  const done = new Promise((resolve) => {
    finish = resolve;
  });
  await page.exposeFunction('codeAutomationLog', (type, args) => {
    if (!NOISE.test(String(args[0]))) (type === 'error' ? console.error : console.log)(...args);
  });
  await page.exposeFunction('codeAutomationExit', (status) => finish(status));
  const timer = setTimeout(() => {
    console.error(`The extension host gave no result in ${LIMIT_MS} ms.`);
    finish(1);
  }, LIMIT_MS);
  const payload = [
    ...values.extensionDevelopmentPath.map((folder) => ['extensionDevelopmentPath', server.remote(folder)]),
    ['extensionTestsPath', server.remote(values.extensionTestsPath)],
  ];
  await page.goto(server.url(positionals[0] ?? path.resolve('.'), payload));
  code = await done;
  clearTimeout(timer);
} finally {
  await browser.close();
  await server.stop();
}
process.exitCode = code;

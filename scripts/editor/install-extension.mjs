// Installs a packaged extension into an extensions folder of code-server, without a network.
import path from 'node:path';
import { installCodeServer, installEditorNode, run } from '../install.mjs';

export function installExtension(vsix, extensionsDir) {
  const node = installEditorNode();
  const entry = path.join(installCodeServer(node), 'out/node/entry.js');
  const env = {
    ...process.env,
    PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH}`,
    EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: '', itemUrl: '', resourceUrlTemplate: '' }),
  };
  run(
    node,
    [
      entry,
      '--install-extension',
      vsix,
      '--extensions-dir',
      extensionsDir,
      '--user-data-dir',
      path.join(extensionsDir, '.data'),
      // Without one of its own it would write its settings into the home of whoever runs this.
      '--config',
      path.join(extensionsDir, '.data/config.yaml'),
    ],
    { env },
  );
}

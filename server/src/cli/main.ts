import { runShardlens } from './commands';

// A reader that closes early, such as `head`, is no fault of ours.
process.stdout.on('error', (error: { code?: string }) => {
  if (error.code !== 'EPIPE') throw error;
  process.exitCode = 0;
});

void runShardlens(process.argv.slice(2), {
  cwd: process.cwd(),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
}).then((code) => {
  // Standard output may still be flushing, so the process ends by itself.
  process.exitCode = code;
});

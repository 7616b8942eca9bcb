/** Wrong usage or an input that cannot be read: one sentence for standard error, and exit code 2. */
export class UsageError extends Error {}

/** Where a command writes and from where relative paths count; tests give their own. */
export interface Terminal {
  readonly cwd: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Exit codes of every command: a stable interface. */
export const EXIT = { fine: 0, findings: 1, usage: 2 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** One subcommand. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly help: string;
  readonly run: (args: readonly string[], terminal: Terminal) => ExitCode | Promise<ExitCode>;
}

/** The first message to the server in a worker, before the language server protocol begins. */
export interface WorkerStart {
  /** Address of the script with the file formats: a worker that was started through a blob does not know its own. */
  readonly dialects: string;
  /** Address of the script that converts one format to another; it is opened by the first conversion. */
  readonly translate: string;
  /** Address of the script that reads recorded loads in binary formats; it is opened when a config names one. */
  readonly recordings: string;
  /** Address of the script that reads Python; it is opened when the first Python config is. */
  readonly python: string;
}

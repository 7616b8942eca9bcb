/** How the file at `to` is written in the file at `from`; both are absolute paths with `/`. */
export function relativePath(from: string, to: string): string {
  const start = from.split('/').slice(0, -1);
  const target = to.split('/');
  let shared = 0;
  while (shared < start.length && shared < target.length - 1 && start[shared] === target[shared]) shared += 1;
  const up = start.slice(shared).map(() => '..');
  const path = [...up, ...target.slice(shared)].join('/');
  return up.length > 0 ? path : `./${path}`;
}

/** Files whose content is no text: tensors as torch and safetensors keep them. */
export function isBinaryName(path: string): boolean {
  return /\.(?:pt|pth|safetensors)$/i.test(path);
}

/** Bytes as a string of characters 0 to 255, so that they travel and are kept wherever texts are. */
export function bytesToText(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return parts.join('');
}

/** The inverse of `bytesToText`. */
export function textToBytes(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length }, (_, at) => text.charCodeAt(at) & 0xff);
}

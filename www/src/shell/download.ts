// Hands files to the browser's downloads.

/** Some browsers read a file a while after they were told to. */
const READ_BY_MS = 60_000;

export function download(blob: Blob, name: string): void {
  const href = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), READ_BY_MS);
}

// The state of the page as a link: deflated JSON in base64url. The server reads it, so there is one reader.

export async function packed(shared) {
  const raw = new TextEncoder().encode(JSON.stringify(shared));
  const squeezed = new Blob([raw]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(squeezed).arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// A link works on another server too: what only this one has goes along as text.
export const portable = (source, yaml) =>
  source.kind === "name" || source.kind === "text" ? source : { kind: "text", value: yaml };

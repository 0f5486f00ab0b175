/**
 * The few results worth keeping between calls (parsed keys, prepared key objects), by content: at most
 * `CACHE_ENTRIES_MAX`, the least recently used goes first. It changes speed only, never a result.
 */

const CACHE_ENTRIES_MAX = 64;

/** Bytes as a string, one code unit each: a map key cheaper than hexadecimal. */
function keyOf(bytes: Uint8Array): string {
  let key = '';
  // apply() takes its arguments from the stack: bounded pieces.
  for (let at = 0; at < bytes.length; at += 4096)
    key += String.fromCharCode.apply(null, bytes.subarray(at, at + 4096) as unknown as number[]);
  return key;
}

/** A function that computes `make(bytes)` once for the same bytes, while it remembers them. */
export function remembered<T>(make: (bytes: Uint8Array) => T): (bytes: Uint8Array) => T {
  const entries = new Map<string, T>();
  return (bytes) => {
    const key = keyOf(bytes);
    let value = entries.get(key);
    if (value === undefined) value = make(bytes);
    else entries.delete(key);
    entries.set(key, value);
    if (entries.size > CACHE_ENTRIES_MAX) entries.delete(entries.keys().next().value!);
    return value;
  };
}

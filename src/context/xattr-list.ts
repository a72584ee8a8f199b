/** Count, then for each attribute the lengths of name and value and their bytes; all numbers 32 bits. */
export function encodeXattrs(xattrs: Map<string, Buffer>): Buffer {
  const number = (value: number): Buffer => {
    const buffer = Buffer.alloc(4);
    buffer.writeUInt32LE(value);
    return buffer;
  };
  const parts = [number(xattrs.size)];
  for (const [name, value] of xattrs) {
    const nameBytes = Buffer.from(name, 'utf8');
    parts.push(number(nameBytes.length), number(value.length), nameBytes, value);
  }
  return Buffer.concat(parts);
}

/** @param start where the list begins */
export function decodeXattrs(bytes: Buffer, start: number): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  let at = start + 4;
  for (let left = bytes.readUInt32LE(start); left > 0; left--) {
    const nameLength = bytes.readUInt32LE(at);
    const valueLength = bytes.readUInt32LE(at + 4);
    const valueStart = at + 8 + nameLength;
    const name = bytes.toString('utf8', at + 8, valueStart);
    at = valueStart + valueLength;
    xattrs.set(name, Buffer.from(bytes.subarray(valueStart, at)));
  }
  return xattrs;
}

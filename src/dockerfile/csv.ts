/**
 * Splits one line of comma-separated values as Go's encoding/csv does: fields may stand in double quotes, a doubled
 * quote inside is a quote. Gives the fields, or Go's text for what is wrong.
 */
export function splitCsv(line: string): { fields: string[] } | { error: string } {
  const fields: string[] = [];
  let position = 0;
  for (;;) {
    if (line[position] !== '"') {
      const comma = line.indexOf(',', position);
      const field = line.slice(position, comma === -1 ? undefined : comma);
      const quote = field.indexOf('"');
      if (quote !== -1) return failure(position + quote, 'bare " in non-quoted-field');
      fields.push(field);
      if (comma === -1) return { fields };
      position = comma + 1;
      continue;
    }
    let field = '';
    position++;
    for (;;) {
      const quote = line.indexOf('"', position);
      if (quote === -1) return failure(line.length, 'extraneous or missing " in quoted-field');
      field += line.slice(position, quote);
      position = quote + 1;
      if (line[position] !== '"') break;
      field += '"';
      position++;
    }
    fields.push(field);
    if (position >= line.length) return { fields };
    if (line[position] !== ',') return failure(position, 'extraneous or missing " in quoted-field');
    position++;
  }
}

function failure(index: number, what: string): { error: string } {
  return { error: `parse error on line 1, column ${index + 1}: ${what}` };
}

/** Two letters for a country that a directory tells by its English name; as it was told where that is no name we know. */

let byName: ReadonlyMap<string, string> | undefined;

const LETTERS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];

function names(): ReadonlyMap<string, string> {
  const known = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
  return new Map(
    LETTERS.flatMap((a) => LETTERS.map((b) => a + b)).flatMap((code) => {
      const name = known.of(code);
      return name === undefined ? [] : [[name.toLowerCase(), code] as const];
    }),
  );
}

export function countryCode(told: string): string {
  const name = told.trim();
  if (name === '' || /^[A-Z]{2}$/.test(name)) return name;
  byName ??= names();
  return byName.get(name.toLowerCase()) ?? [...name].slice(0, 60).join('');
}

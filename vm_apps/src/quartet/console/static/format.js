// Numbers and times as people read them. What is unknown is a dash, never 0.

export const DASH = "–";
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const ONE = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const known = (value) => value !== null && value !== undefined;

export function count(value) {
  return known(value) ? WHOLE.format(value) : DASH;
}

export function rate(value) {
  if (!known(value)) return DASH;
  return value > 0 && value < 9.95 ? ONE.format(value) : WHOLE.format(value);
}

export function share(value) {
  return known(value) ? `${ONE.format(100 * value)} %` : DASH;
}

export function percent(value) {
  return known(value) ? `${Math.round(100 * value)} %` : DASH;
}

export function seconds(value) {
  if (!known(value)) return DASH;
  if (value < 0.0995) return `${WHOLE.format(1000 * value)} ms`;
  if (value < 9.95) return `${ONE.format(value)} s`;
  if (value < 120) return `${WHOLE.format(value)} s`;
  if (value < 7200) return `${WHOLE.format(value / 60)} min`;
  return value < 172800 ? `${WHOLE.format(value / 3600)} h` : `${WHOLE.format(value / 86400)} d`;
}

export function clock(at) {
  return new Date(at * 1000).toLocaleTimeString("en-GB");
}

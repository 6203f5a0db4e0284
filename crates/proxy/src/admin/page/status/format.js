// Numbers as people read them.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const THOUSANDS = ["", " k", " M", " G", " T"];

export function bytes(number) {
  return scaled(number, 1024, BYTES, " ");
}

export function count(number) {
  return scaled(number, 1000, THOUSANDS, "");
}

/** Something per second, which may be less than one. */
export function rate(number) {
  if (number > 0 && number < 10) return number < 0.1 ? "< 0.1" : number.toFixed(1);
  return count(number);
}

function scaled(number, base, units, space) {
  let [value, unit] = [number, 0];
  while (value >= base * 0.9995 && unit < units.length - 1) {
    value /= base;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${space}${units[unit]}`;
}

/** A share of 1. Never says 100 of what is less, nor 0 of what is more. */
export function percent(share) {
  if (share === null) return "–";
  const value = share * 100;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  const digits = value === 0 || value === 100 ? 0 : value > 99.95 ? 2 : 1;
  return `${Math.min(value, value === 100 ? 100 : 99.99).toFixed(digits)} %`;
}

export function micros(number) {
  if (number === null) return "–";
  if (number < 1000) return `${number} µs`;
  const [value, unit] = number < 1_000_000 ? [number / 1000, "ms"] : [number / 1_000_000, "s"];
  return `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${unit}`;
}

/** A length of time in milliseconds, in its two largest units. */
export function duration(ms) {
  const parts = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];
  const first = parts.findIndex(([, size]) => ms >= size);
  if (first < 0) return "0 s";
  let left = ms;
  const told = parts.slice(first, first + 2).map(([unit, size]) => {
    const whole = Math.floor(left / size);
    left -= whole * size;
    return whole > 0 ? `${whole} ${unit}` : "";
  });
  return told.filter((it) => it).join(" ");
}

export function clock(ms, withSeconds) {
  const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (withSeconds) parts.second = "2-digit";
  return new Date(ms).toLocaleTimeString([], parts);
}

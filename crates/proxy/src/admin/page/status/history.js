// What the server keeps of the past, merged from what each answer adds, and the sums that are made of it.

/** One resolution: samples at equal steps, oldest first. */
class Series {
  first = 0;
  rows = [];

  get next() {
    return this.first + this.rows.length;
  }

  merge(part, columns) {
    const rows = part.rows.map((row) => Object.fromEntries(row.map((value, index) => [columns[index], value])));
    if (part.first === this.next) {
      this.rows.push(...rows);
    } else {
      // The page slept for longer than is kept, or the proxy was restarted.
      this.first = part.first;
      this.rows = rows;
    }
    const over = this.rows.length - part.keep;
    if (over > 0) {
      this.rows.splice(0, over);
      this.first += over;
    }
    this.every = part.every_ms;
    this.keep = part.keep;
  }
}

export class History {
  seconds = new Series();
  tens = new Series();
  uptime = 0;

  /** What to ask for: only what is not known yet. */
  get query() {
    return `seconds=${this.seconds.next}&tens=${this.tens.next}`;
  }

  merge(status) {
    const { columns, seconds, tens } = status.history;
    if (status.uptime_ms < this.uptime) {
      this.seconds = new Series();
      this.tens = new Series();
    }
    this.uptime = status.uptime_ms;
    this.seconds.merge(seconds, columns);
    this.tens.merge(tens, columns);
  }

  /** The sum of the last `seconds` seconds. */
  last(seconds) {
    return sum(this.seconds.rows.slice(-seconds));
  }

  /** The newest sample of ten seconds that has latencies, or else of one. */
  get latency() {
    const rows = [...this.seconds.rows.slice(-9), ...this.tens.rows.slice(-1)];
    const newest = (key) => rows.findLast((row) => row[key] !== null)?.[key] ?? null;
    return {
      cache: [newest("p50_cache_us"), newest("p99_cache_us")],
      origin: [newest("p50_origin_us"), newest("p99_origin_us")],
    };
  }
}

const SUMMED = ["span_ms", "hit", "stale", "collapsed", "revalidated", "stale_on_error", "miss", "pass", "error",
  "aborted", "bytes_cache", "bytes_origin", "hit_L0", "hit_L1", "hit_L2", "hit_L3"];

export function sum(rows) {
  const all = Object.fromEntries(SUMMED.map((key) => [key, 0]));
  for (const row of rows) for (const key of SUMMED) all[key] += row[key];
  return all;
}

/** Requests that were answered at once, without the origin's answer to them. */
export const fromCache = (it) => it.hit + it.stale;
/** Requests that share another's answer, or got what is stored once the origin was asked. */
export const shared = (it) => it.collapsed + it.revalidated + it.stale_on_error;
/** Requests that got a response. */
export const answered = (it) => fromCache(it) + shared(it) + it.miss + it.pass;
export const bytesSent = (it) => it.bytes_cache + it.bytes_origin;

/** The share of requests that did not need an answer of the origin of their own; `null` of none. */
export function hitRatio(it) {
  const all = answered(it);
  return all > 0 ? (fromCache(it) + it.collapsed) / all : null;
}

export function byteRatio(it) {
  const all = bytesSent(it);
  return all > 0 ? it.bytes_cache / all : null;
}

export const perSecond = (it, number) => (it.span_ms > 0 ? (number * 1000) / it.span_ms : 0);

/** For each row, the sum of it and of those before it, `width` in all. */
export function trailing(rows, width) {
  const window = Object.fromEntries(SUMMED.map((key) => [key, 0]));
  return rows.map((row, index) => {
    const old = rows[index - width];
    for (const key of SUMMED) window[key] += row[key] - (old ? old[key] : 0);
    return { ...window };
  });
}

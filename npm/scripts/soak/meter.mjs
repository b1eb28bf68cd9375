// Counts what a load client lives through, phase by phase. Plain values only, so that a thread can hand it to another.

// 32 steps in each power of two: a quantile is told to within 3 %.
const STEPS = 32
const BUCKETS = 28 * STEPS

/** Times in milliseconds, kept as counts. */
export class Histogram {
  counts = new Uint32Array(BUCKETS)
  count = 0
  max = 0

  record(ms) {
    this.counts[bucket(ms * 1000)] += 1
    this.count += 1
    if (ms > this.max) this.max = ms
  }

  merge({ counts, count, max }) {
    counts.forEach((times, at) => (this.counts[at] += times))
    this.count += count
    this.max = Math.max(this.max, max)
    return this
  }

  /** The time that this share of all did not exceed, ms. */
  quantile(share) {
    const wanted = Math.ceil(this.count * share)
    let seen = 0
    for (let at = 0; at < BUCKETS; at += 1) {
      seen += this.counts[at]
      if (seen >= wanted && seen > 0) return Math.min(upper(at) / 1000, this.max)
    }
    return this.max
  }

  /** How many took longer than this, to within a bucket. */
  slowerThan(ms) {
    return this.counts.slice(bucket(ms * 1000) + 1).reduce((sum, times) => sum + times, 0)
  }
}

function bucket(microseconds) {
  const whole = Math.min(Math.max(0, Math.trunc(microseconds)), 0x7fff_ffff)
  if (whole < 2 * STEPS) return whole
  const power = 31 - Math.clz32(whole)
  return (power - 4) * STEPS + ((whole >>> (power - 5)) & (STEPS - 1))
}

function upper(at) {
  if (at < 2 * STEPS) return at + 1
  const power = Math.trunc(at / STEPS) + 4
  return (STEPS + (at % STEPS) + 1) * 2 ** (power - 5)
}

// Enough to see what went wrong; a broken promise has thousands.
const MOST_EXAMPLES = 12

export class Meter {
  phase = 'begin'
  phases = {}
  /** By kind, and by kind what is no failure but worth telling (retried, closed in order). */
  failures = {}
  counts = {}
  examples = []

  answered(ms) {
    ;(this.phases[this.phase] ??= new Histogram()).record(ms)
  }

  failed(kind, detail = '') {
    this.failures[kind] = (this.failures[kind] ?? 0) + 1
    if (this.examples.length < MOST_EXAMPLES) this.examples.push(`${this.phase}: ${kind} ${detail}`.trim())
  }

  counted(kind, times = 1) {
    this.counts[kind] = (this.counts[kind] ?? 0) + times
  }

  value() {
    const { phases, failures, counts, examples } = this
    return { phases, failures, counts, examples }
  }
}

/** What a thread told, with histograms that can be asked; all of `values` together. */
export function together(values) {
  const all = { phases: {}, failures: {}, counts: {}, examples: [] }
  for (const { phases, failures, counts, examples } of values) {
    for (const [name, histogram] of Object.entries(phases)) (all.phases[name] ??= new Histogram()).merge(histogram)
    for (const key of Object.keys(failures)) all.failures[key] = (all.failures[key] ?? 0) + failures[key]
    for (const key of Object.keys(counts)) all.counts[key] = (all.counts[key] ?? 0) + counts[key]
    all.examples.push(...examples)
  }
  const sum = object => Object.values(object).reduce((total, one) => total + one, 0)
  all.failed = sum(all.failures)
  all.answered = Object.values(all.phases).reduce((total, { count }) => total + count, 0)
  all.phase = name => all.phases[name] ?? new Histogram()
  return all
}

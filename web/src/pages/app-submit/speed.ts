/** When how many bytes had been sent; the last ten seconds of it. */
export type Samples = { at: number; bytes: number }[];

const span = 10_000;

/** The samples with one more. */
export function sampled(samples: Samples, at: number, bytes: number): Samples {
  const kept = samples.filter((s) => at - s.at < span && s.bytes <= bytes);
  return [...kept, { at, bytes }];
}

/** Bytes a second of late; undefined until that can be told. */
export function speed(samples: Samples): number | undefined {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last || last.at - first.at < 500) return undefined;
  return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000;
}

/** Milliseconds until all is sent; undefined if that cannot be told. */
export function timeLeft(samples: Samples, total: number): number | undefined {
  const rate = speed(samples);
  const last = samples.at(-1);
  if (!rate || !last) return undefined;
  return ((total - last.bytes) / rate) * 1000;
}

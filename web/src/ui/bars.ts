/** Where a bar stands between 0 and 100, on an axis that all bars of a picture share and that has zero on it. */
export type Scale = { zero: number; bar: (value: number) => { x: number; width: number } };

export function scaleOf(values: (number | undefined)[]): Scale {
  const known = values.filter((v) => v !== undefined && Number.isFinite(v)) as number[];
  const least = Math.min(0, ...known);
  const most = Math.max(0, ...known);
  const span = most - least || 1;
  const at = (v: number) => ((v - least) / span) * 100;
  return {
    zero: at(0),
    bar: (value) => {
      const x = Math.min(at(value), at(0));
      return { x, width: Math.max(Math.abs(at(value) - at(0)), value === 0 ? 0 : 0.4) };
    },
  };
}

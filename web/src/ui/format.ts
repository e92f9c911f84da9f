import { strings } from "../strings";

const t = strings.ui.format;

const locale = () => (typeof navigator === "undefined" ? "en" : navigator.language);

const plainNumber = new Intl.NumberFormat("en", { maximumFractionDigits: 20 });
const shortNumber = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 12,345, and from a million on 1.2M. */
export function number(n: number): string {
  return Math.abs(n) < 1_000_000 ? plainNumber.format(n) : shortNumber.format(n);
}

/** All digits. */
export function exactNumber(n: number): string {
  return plainNumber.format(n);
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 1.4 MiB. */
export function bytes(n: number): string {
  let unit = 0;
  let value = n;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 1,468,006 B. */
export function exactBytes(n: number): string {
  return `${plainNumber.format(n)} B`;
}

const two = (n: number) => String(n).padStart(2, "0");

/** An ISO date of a moment in the user's zone. */
export function day(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** An ISO date and time in the user's zone, such as 2026-11-21 14:03:05. */
export function moment(at: Date): string {
  return `${day(at)} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** The same in UTC, and said so. */
export function utc(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** 3 minutes ago, in 2 days. */
export function relative(at: Date, now: Date): string {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, size] of steps) {
    if (Math.abs(seconds) >= size) return words.format(Math.trunc(seconds / size), unit);
  }
  return seconds > 0 ? t.soon : t.justNow;
}

/** How long something took: 340 ms, 12.4 s, 3 min 5 s, 2 h 3 min. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** The zone that times are shown in. */
export function zone(): string {
  return new Intl.DateTimeFormat(locale()).resolvedOptions().timeZone;
}

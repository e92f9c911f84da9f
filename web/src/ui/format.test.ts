import { expect, test } from "vitest";
import { bytes, duration, exactBytes, number, relative, utc } from "./format";

test("numbers are whole up to a million, and short from there", () => {
  expect([number(0), number(12345), number(1_234_567), number(0.25)]).toEqual(["0", "12,345", "1.2M", "0.25"]);
});

test("sizes are in binary units", () => {
  expect([bytes(0), bytes(1023), bytes(1024), bytes(1_468_006), bytes(150 * 1024 ** 3)]).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.4 MiB",
    "150 GiB",
  ]);
  expect(exactBytes(1_468_006)).toBe("1,468,006 B");
});

test("durations are in the units that one thinks in", () => {
  expect([duration(340), duration(12_400), duration(185_000), duration(7_380_000)]).toEqual(["340 ms", "12.4 s", "3 min 5 s", "2 h 3 min"]);
});

test("moments are told by how far they are", () => {
  const now = new Date("2026-11-21T12:00:00Z");
  const at = (text: string) => relative(new Date(text), now);
  expect([at("2026-11-21T11:59:30Z"), at("2026-11-21T11:57:00Z"), at("2026-11-23T12:00:00Z"), at("2026-11-21T12:00:30Z")]).toEqual([
    "just now",
    "3 minutes ago",
    "in 2 days",
    "in a moment",
  ]);
  expect(utc(now)).toBe("2026-11-21 12:00:00 UTC");
});

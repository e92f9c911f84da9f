import { expect, test } from "vitest";
import { glance } from "./glance";

const health = (change: object) => ({
  as_of: "2026-11-21T12:00:00Z",
  users: 3,
  last_sign_in: "2026-11-20T12:00:00Z",
  last_submission: "2026-11-01T12:00:00Z",
  rejected: 0,
  missing: 0,
  open_uploads: 0,
  results_waiting: 0,
  stored_bytes: 0,
  ...change,
});

const active = (change: object) => glance({ state: "active", health: health(change) });

test("the gravest is said first, and the others are not lost", () => {
  expect(active({})).toEqual({ tone: "ok", words: "well", more: [] });
  expect(active({ missing: 2, rejected: 1 })).toEqual({ tone: "bad", words: "2 files missing", more: ["1 file rejected"] });
  expect(active({ rejected: 4 })).toEqual({ tone: "warn", words: "4 files rejected", more: [] });
});

test("who does nothing for a month is quiet, and who never did anything has not started", () => {
  expect(active({ last_sign_in: "2026-10-22T12:00:01Z", last_submission: undefined })?.words).toBe("well");
  expect(active({ last_sign_in: "2026-10-01T12:00:00Z", last_submission: "2026-10-12T12:00:00Z" })?.words).toBe("quiet for 40 days");
  expect(active({ last_sign_in: undefined, last_submission: undefined })).toEqual({ tone: "info", words: "not started", more: [] });
});

test("a tenant that is not in use is not judged", () => {
  expect(glance({ state: "suspended", health: health({ missing: 3 }) })).toEqual({ tone: "mute", words: "not in use", more: [] });
  expect(glance({ state: "onboarding" })?.tone).toBe("info");
  expect(glance({ state: "active" })).toBeUndefined();
});

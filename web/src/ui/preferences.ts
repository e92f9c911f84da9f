import { useCallback, useSyncExternalStore } from "react";
import { api, call } from "../api/client";

// What a user likes to see. With an account it is kept there, and follows its user from
// browser to browser; without one this browser keeps it.
type Choices = Record<string, unknown>;

/** Reads and writes a user's preferences; for tests something else does. */
export type Account = { read: () => Promise<Choices>; write: (change: Choices) => Promise<unknown> };

const listeners = new Set<() => void>();
let account: Account | undefined;
let choices: Choices = {};
let unsaved: Choices = {};
let timer: ReturnType<typeof setTimeout> | undefined;

const ofUser: Account = {
  read: () => call(api.GET("/api/v1/me/preferences")),
  write: (change) => call(api.PATCH("/api/v1/me/preferences", { body: change, keepalive: true })),
};

let reading: { who: string; done: Promise<void> } | undefined;

/** Reads what is kept with an account, once. If that fails what the browser keeps is used. */
export function readPreferences(who: string, from: Account = ofUser): Promise<void> {
  if (reading?.who !== who) reading = { who, done: read(from) };
  return reading.done;
}

async function read(from: Account): Promise<void> {
  account = undefined;
  choices = {};
  unsaved = {};
  try {
    choices = { ...(await from.read()) };
    account = from;
  } catch {
    return; // the browser's own are good enough to go on with
  } finally {
    tell();
  }
}

function tell() {
  for (const listener of listeners) listener();
}

/** Saves what was changed since the last time; what cannot be saved now is tried again with the next change. */
export async function savePreferences(): Promise<void> {
  clearTimeout(timer);
  timer = undefined;
  const change = unsaved;
  if (!account || Object.keys(change).length === 0) return;
  unsaved = {};
  try {
    await account.write(change);
  } catch {
    unsaved = { ...change, ...unsaved };
  }
}

if (typeof addEventListener === "function") addEventListener("pagehide", () => void savePreferences());

/** The choice of a name, or undefined. The same text gives the same object, so that a render can compare it. */
export function preference(name: string): unknown {
  if (account) return choices[name];
  const raw = localStorage.getItem(`preference.${name}`);
  return raw === null ? undefined : parse(raw);
}

/** Chooses: at once on the screen, and saved in the background. */
export function choose(name: string, value: unknown) {
  if (account) {
    choices = { ...choices, [name]: value };
    unsaved = { ...unsaved, [name]: value };
    timer ??= setTimeout(() => void savePreferences(), 500);
  } else {
    localStorage.setItem(`preference.${name}`, JSON.stringify(value));
  }
  tell();
}

/** A choice of the user's, and a function that changes it everywhere it is used. */
export function usePreference<T>(name: string, fallback: T): [T, (value: T) => void] {
  const chosen = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => preference(name),
  );
  const set = useCallback((value: T) => choose(name, value), [name]);
  return [chosen === undefined ? fallback : (chosen as T), set];
}

const parsed = new Map<string, unknown>();

function parse(raw: string): unknown {
  if (!parsed.has(raw)) {
    try {
      parsed.set(raw, JSON.parse(raw));
    } catch {
      parsed.set(raw, undefined);
    }
  }
  return parsed.get(raw);
}

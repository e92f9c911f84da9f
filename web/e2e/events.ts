import { unique, url } from "./world";

/** Sends an event as a program with a write key, or with an API key, does. */
export async function send(key: string, event: { type: string; subject?: string; [name: string]: unknown }): Promise<Response> {
  return fetch(`${url}/api/v1/events`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: JSON.stringify({ specversion: "1.0", id: unique("event"), source: "story", ...event }),
  });
}

/** What a snippet is filled with: the key, where events are collected, and where the API is. */
export type Values = { key: string; collector: string; server: string };

/**
 * Where clients find the collector, from the address that it listens at: its host says nothing outside of the server where it
 * is any or the server itself, so the page's is taken.
 */
export function collectorAt(address: string, host: string): string {
  const url = new URL(address);
  if (["0.0.0.0", "[::]", "127.0.0.1", "[::1]", "localhost"].includes(url.hostname)) url.hostname = host;
  return url.origin;
}

const event = `{"specversion":"1.0","id":"'"$(date +%s%N)"'","source":"shop","type":"checkout.completed","user":"u-17","data":{"amount":12.5}}`;

/** How a client sends, by its name; those that are of no use without a collector are not there without one. */
export function snippetsOf({ key, collector, server }: Values): Record<string, string> {
  const always = {
    curl: `curl ${server}/api/v1/events -H 'Authorization: Bearer ${key}' \\
  -H 'Content-Type: application/cloudevents+json' \\
  -d '${event}'`,
  };
  if (!collector) return always;
  return {
    segmentPage: `import { AnalyticsBrowser } from "@segment/analytics-next";
const analytics = AnalyticsBrowser.load({ writeKey: "${key}", cdnURL: "${collector}" });
analytics.track("checkout.completed", { amount: 12.5 });`,
    segmentNode: `import { Analytics } from "@segment/analytics-node";
const analytics = new Analytics({ writeKey: "${key}", host: "${collector}" });
analytics.track({ userId: "u-17", event: "checkout.completed", properties: { amount: 12.5 } });`,
    posthogPage: `import posthog from "posthog-js";
posthog.init("${key}", { api_host: "${collector}" });
posthog.capture("checkout.completed", { amount: 12.5 });`,
    posthogNode: `import { PostHog } from "posthog-node";
const posthog = new PostHog("${key}", { host: "${collector}" });
posthog.capture({ distinctId: "u-17", event: "checkout.completed", properties: { amount: 12.5 } });`,
    python: `import segment.analytics as analytics
analytics.write_key = "${key}"
analytics.host = "${collector}"
analytics.track("u-17", "checkout.completed", {"amount": 12.5})`,
    go: `client, err := analytics.NewWithConfig("${key}", analytics.Config{Endpoint: "${collector}"})
client.Enqueue(analytics.Track{UserId: "u-17", Event: "checkout.completed",
	Properties: analytics.NewProperties().Set("amount", 12.5)})`,
    ...always,
    segmentCurl: `curl ${collector}/v1/track -u '${key}:' -H 'Content-Type: application/json' \\
  -d '{"userId":"u-17","event":"checkout.completed","properties":{"amount":12.5}}'`,
    pixel: `<img src="${collector}/pixel/${key}/mail.opened.gif?user=u-17&id=mail-1-u-17" alt="">`,
  };
}

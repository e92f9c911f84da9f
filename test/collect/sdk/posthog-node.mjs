// What a backend does with posthog-node, whose own POSTHOG_CAPTURE_MODE is v0 or v1.
import { PostHog } from "posthog-node";

const errors = [];
const posthog = new PostHog(process.env.COLLECT_KEY, {
  host: process.env.COLLECT_URL,
  flushAt: 4,
  fetchRetryCount: 3,
  fetchRetryDelay: 100,
});
posthog.on("error", (error) => errors.push(String(error)));
posthog.identify({ distinctId: "u1", properties: { plan: "pro" } });
posthog.capture({ distinctId: "u1", event: "Order Completed", properties: { total: 12.5 }, groups: { company: "acme" } });
posthog.groupIdentify({ groupType: "company", groupKey: "acme", properties: { name: "Acme" } });
posthog.capture({ distinctId: "u2", event: "Order Completed", properties: { total: 7 } });
const awake = setInterval(() => {}, 1000); // its own timers let the process end
await posthog.shutdown(20_000);
clearInterval(awake);
console.log(JSON.stringify(errors));

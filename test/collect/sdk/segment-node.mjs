// What a backend does with analytics-node, as its documentation says.
import { Analytics } from "@segment/analytics-node";

const errors = [];
const analytics = new Analytics({ writeKey: process.env.COLLECT_KEY, host: process.env.COLLECT_URL, maxRetries: 3 });
analytics.on("error", (error) => errors.push(String(error.reason ?? error)));
const context = { groupId: process.env.COLLECT_GROUP };
analytics.identify({ userId: "u1", traits: { plan: "pro" }, context, messageId: "n1" });
analytics.track({ userId: "u1", event: "Order Completed", properties: { total: 12.5 }, context, messageId: "n2" });
analytics.group({ userId: "u1", groupId: "acme", traits: { name: "Acme" }, context, messageId: "n3" });
analytics.page({ anonymousId: "a1", name: "Home", context, messageId: "n4" });
await analytics.closeAndFlush({ timeout: 20_000 });
console.log(JSON.stringify(errors));

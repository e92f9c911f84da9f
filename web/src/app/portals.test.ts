import { expect, test } from "vitest";
import type { Group } from "./nav";
import { adminNav, tenantNav } from "./portals";

test.each([
  ["the tenants'", tenantNav],
  ["the provider's", adminNav],
])("each key of %s portal leads to one page", (_, groups: Group[]) => {
  const keys = groups.flatMap((g) => g.entries.map((e) => e.key));
  expect(keys).toEqual([...new Set(keys)]);
  expect(keys).not.toContain(undefined);
});

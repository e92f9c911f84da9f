import { expect } from "vitest";
import { apply, means, sales } from "./contracts";
import { ok, signIn, story, tenant, unique, visit } from "./world";

story("an admin accepts an analysis, is asked again when it widens, and leaves; a user cannot", async ({ page, another, sound }) => {
  const t = await tenant("Taking part");
  const dataset = unique("shops");
  const name = unique("means");
  await apply("datasets", sales(dataset));
  await apply("analyses", means(name, dataset));
  await ok(
    t.api.POST("/api/v1/users", {
      body: { email: `bo@${t.slug}.example`, login: "bo", role: "tenant_user", password: "a password of Bo 1" } as never,
    }),
  );
  const decision = async () => (await ok(t.api.GET("/api/v1/analyses/{id}", { params: { path: { id: name } } }))).decision;

  const user = await another();
  await signIn(user, { login: `${t.slug}.bo`, password: "a password of Bo 1" }, "/app/analyses");
  await user.getByRole("link", { name: `Benchmark ${name}` }).click();
  await user.getByText("Only an admin of your tenant can accept, decline or leave.").waitFor();
  await user.getByText(`It reads these columns of your dataset ${dataset} and no others`).waitFor();
  expect(await user.getByRole("button", { name: /^(Accept|Decline|Leave)$/ }).count()).toBe(0);
  await sound(user);

  await signIn(page, t.admin, "/app/analyses");
  await sound();
  await page.getByRole("link", { name: `Benchmark ${name}` }).click();
  await page.getByRole("button", { name: "Accept", exact: true }).click();
  const asked = page.getByRole("dialog");
  await asked.getByText("until you leave").waitFor();
  await sound();
  await asked.getByRole("button", { name: "Accept", exact: true }).click();
  await page.getByRole("button", { name: "Leave", exact: true }).waitFor();
  expect(await decision()).toBe("accepted");

  await apply("analyses", means(name, dataset, "rules: {min_contributors: 2, p_percent: 0, dominance: off}\nquorum: 2\n"));
  await visit(page, `/app/analyses/${name}`);
  await page.getByText("You accepted version 1. This version asks for more").waitFor();
  await page.getByText("With 2 contributors each can compute the other's value exactly.").waitFor();
  await sound();
  await page.getByRole("link", { name: "Version 1" }).click();
  await page.getByText("This is an earlier version.").waitFor();
  await page.getByRole("link", { name: "Show the current version" }).click();
  // Nobody says yes to a version that they did not read: one that comes while they are asked is read first.
  await page.getByRole("button", { name: "Accept the new version" }).click();
  await asked.getByText("This is about version 2.").waitFor();
  await apply("analyses", means(name, dataset, "rules: {min_contributors: 2, p_percent: 0, dominance: off}\nquorum: 3\n"));
  await asked.getByText("There is a newer version, 3.").waitFor();
  expect(await asked.getByRole("button", { name: "Accept", exact: true }).isDisabled()).toBe(true);
  await sound();
  await asked.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Accept the new version" }).click();
  await asked.getByText("This is about version 3.").waitFor();
  await asked.getByRole("button", { name: "Accept", exact: true }).click();
  await page.getByRole("button", { name: "Leave", exact: true }).click();
  await asked.getByText("are not taken back").waitFor();
  await asked.getByRole("button", { name: "Leave", exact: true }).click();
  await page.getByRole("dialog", { name: /^Leave/ }).waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Accept", exact: true }).waitFor();
  expect(await decision()).toBe("declined");
});

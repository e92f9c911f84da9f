import { definitions } from "./monthly";
import { admin, signIn, story, unique } from "./world";

story("an admin makes, pauses, changes and deletes a schedule", async ({ page, sound }) => {
  const { means } = await definitions();
  const name = unique("nightly");
  await signIn(page, admin, "/admin/schedules");
  await page.getByRole("button", { name: "New schedule" }).click();
  const form = page.getByRole("dialog", { name: "New schedule" });
  await form.getByLabel("Name").fill(name);
  await form.getByRole("checkbox", { name: means }).check();
  await form.getByLabel("When").fill("61 6 * * *");
  await form.getByText(/is not a cron expression/).waitFor();
  await form.getByLabel("When").fill("30 6 1 1 *");
  await form
    .getByText(/-01-01 06:30/)
    .first()
    .waitFor();
  await sound();
  await form.getByRole("button", { name: "New schedule" }).click();
  await form.waitFor({ state: "hidden" });
  await page.getByRole("link", { name }).click();
  await page.getByRole("heading", { name: "Next five times" }).waitFor();
  await page.getByText("It has not fired yet.").waitFor();
  await sound();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("What it misses meanwhile does not fire later.").first().waitFor();
  await page.getByText("None while it is paused.").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("button", { name: "Edit" }).click();
  const edit = page.getByRole("dialog", { name: "Edit" });
  await edit.getByLabel("When").fill("45 7 2 2 *");
  await edit
    .getByText(/-02-02 07:45/)
    .first()
    .waitFor();
  await edit.getByRole("button", { name: "Save" }).click();
  await edit.waitFor({ state: "hidden" });
  await page
    .getByText(/-02-02 07:45/)
    .first()
    .waitFor();
  await page.getByRole("button", { name: "Actions" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  const confirm = page.getByRole("dialog", { name: `Delete the schedule ${name}?` });
  await confirm.getByLabel(`Type ${name} to confirm`).fill(name);
  await sound();
  await confirm.getByRole("button", { name: "Delete" }).click();
  await page.waitForURL("**/admin/schedules");
  await page.getByRole("link", { name }).waitFor({ state: "detached" });
});

// Opens a page in Chromium and stays until it is told to go, by the end of its input.
import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: process.env.COLLECT_CHROMIUM, args: ["--no-sandbox"] });
const page = await browser.newPage();
page.on("pageerror", (error) => console.error("page:", error.message));
page.on("console", (message) => console.error("console:", message.text()));
await page.goto(process.env.COLLECT_PAGE);
console.log(JSON.stringify(await page.evaluate(() => window.finished)));
await new Promise((resolve) => process.stdin.on("end", resolve).resume());
if (process.env.COLLECT_LEAVE) await page.goto("about:blank"); // what is left is sent by a beacon
await browser.close();

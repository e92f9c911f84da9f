import type { Page, Response } from "playwright-core";

/** What a page loads: bytes as the server sends them, compressed, and how many files and answers of the API those are. */
export type Weight = { script: number; style: number; all: number; requests: number; asked: number };

/** Weighs what a page loads meanwhile. Answers of the API are counted and not weighed. */
export async function weigh(page: Page, load: () => Promise<unknown>): Promise<Weight> {
  const sent: Weight = { script: 0, style: 0, all: 0, requests: 0, asked: 0 };
  const sizes: Promise<void>[] = [];
  const note = (response: Response) => {
    const path = new URL(response.url()).pathname;
    if (path.startsWith("/api/")) {
      sent.asked++;
      return;
    }
    sent.requests++;
    sizes.push(
      response.headerValue("content-length").then((length) => {
        const bytes = Number(length);
        sent.all += bytes;
        if (path.endsWith(".js")) sent.script += bytes;
        if (path.endsWith(".css")) sent.style += bytes;
      }),
    );
  };
  page.on("response", note);
  await load();
  await Promise.all(sizes);
  page.off("response", note);
  return sent;
}

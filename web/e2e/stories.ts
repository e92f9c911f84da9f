import { describe } from "vitest";

// All stories are one file to their runner, so that two of them are told side by side whichever they are.
const stories = import.meta.glob("./*.story.ts");
const wanted = new RegExp(process.env.STORY ?? "");

for (const [path, tell] of Object.entries(stories)) if (wanted.test(path)) describe(path.slice(2), tell as () => Promise<void>);

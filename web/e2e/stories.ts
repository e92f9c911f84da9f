import { describe } from "vitest";

// All stories are one file to their runner, and its parts are concurrent, so that some of them are told side by side whichever they are:
// else the last story of each part would be told alone.
const stories = import.meta.glob("./*.story.ts");
const wanted = new RegExp(process.env.STORY ?? "");

for (const [path, tell] of Object.entries(stories)) if (wanted.test(path)) describe.concurrent(path.slice(2), tell as () => Promise<void>);

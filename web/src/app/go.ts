import { router } from "./router";

/** Goes to a page by its path. */
export function go(path: string): void {
  router.history.push(path);
}

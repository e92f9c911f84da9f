import { api } from "../api/client";
import { inside } from "./address";
import { router } from "./router";
import { me, queries } from "./session";

/**
 * Leads to the sign-in page once the API says that nobody is signed in any more, and from there back to the same address. Whichever
 * requests are refused, it asks once who is signed in: a wrong password is refused in the same way, and ends nothing.
 */
export function watchSession(): void {
  api.use({
    onResponse({ response, schemaPath }) {
      if (response.status !== 401 || !queries.getQueryData(me.queryKey)) return;
      if (schemaPath === "/api/v1/me") void leave();
      else void queries.fetchQuery({ ...me, staleTime: 0 }).catch(() => undefined);
    },
  });
}

let leaving = false;

async function leave(): Promise<void> {
  const next = inside(router.state.location.href);
  if (leaving || !next) return;
  leaving = true;
  try {
    await router.navigate({ to: "/login", search: { next }, replace: true });
    queries.clear();
  } finally {
    leaving = false;
  }
}

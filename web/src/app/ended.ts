import { api } from "../api/client";
import { inside } from "./address";
import { router } from "./router";
import { me, queries } from "./session";

/**
 * Leads to the sign-in page once the API says that nobody is signed in any more, and from there back to the same address. Whichever
 * requests are refused, it asks once who is signed in: a wrong password is refused in the same way, and ends nothing. Where that is
 * refused too, the tenant is suspended, and its portal says so.
 */
export function watchSession(): void {
  api.use({
    onResponse({ response, schemaPath }) {
      if (![401, 403].includes(response.status) || !queries.getQueryData(me.queryKey)) return;
      if (schemaPath === "/api/v1/me") {
        if (response.status === 401) void leave();
      } else void queries.fetchQuery({ ...me, staleTime: 0 }).catch(() => undefined);
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

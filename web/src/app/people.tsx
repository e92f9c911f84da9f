import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, call, items } from "../api/client";
import { strings } from "../strings";
import { Id, Name, Nothing } from "../ui/values";
import { type Choice, choicesOf } from "./choices";
import { apiKeys } from "./keys";
import { isAdmin, useMe } from "./session";

const t = strings.people;

type Names = { known: Map<string, string> /** Nobody of the tenant is missing. */; whole: boolean; choices: Choice[] };

/** The names of who acts, by id, as far as one may know them: admins know their tenant's people and keys. */
function useNames(): Names {
  const who = useMe();
  const enabled = isAdmin(who);
  const users = useQuery({
    queryKey: ["user", "names"],
    staleTime: 60_000,
    enabled,
    queryFn: ({ signal }) => call(api.GET("/api/v1/users", { signal, params: { query: { limit: 500 } } })),
  });
  const keys = useQuery({ ...apiKeys, enabled });
  return useMemo(() => {
    const known = new Map<string, string>();
    for (const u of items(users.data)) known.set(u.id, u.name || u.email);
    for (const k of keys.data?.keys ?? []) known.set(k.id, t.key(k.name || k.hint));
    if (who.email) known.set(who.id, t.you);
    const choices = choicesOf(items(users.data), keys.data?.keys ?? []);
    return { known, choices, whole: users.data !== undefined && !users.data.next && keys.data !== undefined && !keys.data.more };
  }, [users.data, keys.data, who]);
}

/** Who may have acted, to choose from: people and keys by their names, and the server itself. Empty where one knows nobody by name. */
export function useActors(): Choice[] {
  return useNames().choices;
}

/** Who did something, by name where one may know it; whoever of the provider did it is not known by name. */
export function Actor({ id }: { id: string | undefined }) {
  const { known, whole } = useNames();
  if (!id) return <Nothing />;
  if (id === "tributary") return t.server;
  const name = known.get(id);
  if (name) return <Name of={name} />;
  if (id.startsWith("run_")) return <span title={id}>{t.run}</span>;
  if (whole && /^(usr|key)_/.test(id)) return <span title={id}>{t.provider}</span>;
  return <Id of={id} />;
}

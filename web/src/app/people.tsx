import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, call, items } from "../api/client";
import { strings } from "../strings";
import { Id, Name, Nothing } from "../ui/values";
import { isAdmin, useMe } from "./session";

const t = strings.people;

/** The names of who acts, by id, as far as one may know them: admins know their tenant's people and keys. */
function useNames(): Map<string, string> {
  const who = useMe();
  const enabled = isAdmin(who);
  const page = { params: { query: { limit: 500 } } };
  const users = useQuery({
    queryKey: ["user", "names"],
    staleTime: 60_000,
    enabled,
    queryFn: ({ signal }) => call(api.GET("/api/v1/users", { signal, ...page })),
  });
  const keys = useQuery({
    queryKey: ["key", "names"],
    staleTime: 60_000,
    enabled,
    queryFn: ({ signal }) => call(api.GET("/api/v1/api-keys", { signal })),
  });
  return useMemo(() => {
    const names = new Map<string, string>();
    for (const u of items(users.data)) names.set(u.id, u.name || u.email);
    for (const k of items(keys.data)) names.set(k.id, t.key(k.name || k.hint));
    if (who.email) names.set(who.id, t.you);
    return names;
  }, [users.data, keys.data, who]);
}

/** Who did something, by name where one may know it. */
export function Actor({ id }: { id: string | undefined }) {
  const names = useNames();
  if (!id) return <Nothing />;
  if (id === "tributary") return <>{t.server}</>;
  const name = names.get(id);
  return name ? <Name of={name} /> : <Id of={id} />;
}

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api, call, items } from "../../api/client";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Id, Name } from "../../ui/values";

/** Names of tenants by their ids; empty until they are fetched, and for who may not read them. */
export function useTenantNames(): Map<string, string> {
  const { data } = useQuery({
    queryKey: ["tenant", "names"],
    staleTime: 60_000,
    queryFn: async ({ signal }) => {
      const names = new Map<string, string>();
      let after: string | undefined;
      do {
        const page = await call(api.GET("/api/v1/tenants", { signal, params: { query: { limit: 500, ...(after && { after }) } } }));
        for (const x of items(page)) names.set(x.id, x.name);
        after = page.next;
      } while (after && names.size < 5000);
      return names;
    },
  });
  return data ?? none;
}

const none = new Map<string, string>();

/** A tenant by its name, as far as it is known, and where to read more. */
export function TenantLink({ id, slug }: { id: string; slug?: string | undefined }) {
  const names = useTenantNames();
  return (
    <Link to={`/admin/tenants/${id}` as string} title={slug ?? id}>
      <Name of={names.get(id) ?? slug ?? id} />
    </Link>
  );
}

/** Who did something: a schedule, one of the provider's people or keys by name, or an id. */
export function Actor({ of }: { of: string | undefined }) {
  const who = useMe();
  const staff = useQuery({
    queryKey: ["user", "staff"],
    staleTime: 60_000,
    enabled: who.role !== "analyst" && (of ?? "").startsWith("usr_"),
    queryFn: ({ signal }) => call(api.GET("/api/v1/users", { signal, params: { query: { limit: 500 } } })),
  });
  const keys = useQuery({
    queryKey: ["key", "staff"],
    staleTime: 60_000,
    enabled: who.role !== "analyst" && (of ?? "").startsWith("key_"),
    queryFn: ({ signal }) => call(api.GET("/api/v1/api-keys", { signal, params: { query: { limit: 500 } } })),
  });
  if (of?.startsWith("schedule:")) {
    const name = of.slice("schedule:".length);
    return (
      <span>
        {strings.runs.actor.schedule}{" "}
        <Link to="/admin/schedules/$id" params={{ id: name }}>
          {name}
        </Link>
      </span>
    );
  }
  const known = items(staff.data).find((u) => u.id === of)?.email ?? items(keys.data).find((k) => k.id === of)?.name;
  return known ? (
    <span title={of}>
      <Name of={known} />
    </span>
  ) : (
    <Id of={of} />
  );
}
